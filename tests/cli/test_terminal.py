"""Text from records cannot control the terminal."""

from noisebench.cli.terminal import duration, printable, size


def test_control_characters_become_visible() -> None:
    assert printable("\x1b]0;title\x07 red\x1b[31m\n\tμ ± é") == r"\x1b]0;title\x07 red\x1b[31m" + "\n\tμ ± é"
    assert printable("\r\x9b\ud800") == r"\r\x9b\ud800"


def test_lengths_of_time_and_sizes() -> None:
    assert [duration(seconds) for seconds in (5, 600, 3 * 3600, 3 * 86400)] == [
        "5 s",
        "10 min",
        "3.0 h",
        "3.0 d",
    ]
    assert [size(count) for count in (0, 999, 1500, 2_500_000, 7_000_000_000)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "2.5 MB",
        "7.0 GB",
    ]
