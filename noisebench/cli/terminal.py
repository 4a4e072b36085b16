"""Text for people: free of terminal control sequences, with lengths of time and sizes in suitable units."""


def printable(text: str) -> str:
    r"""Return text from records with control characters as escapes, such as \x1b; newlines and tabs stay."""
    return "".join(
        character
        if character.isprintable() or character in "\n\t"
        else character.encode("unicode_escape").decode()
        for character in text
    )


def duration(seconds: float) -> str:
    """Return a length of time in the unit a person would use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} d"


def size(bytes_: int) -> str:
    """Return a number of bytes in a unit of 1000: 512 B, 3.4 kB, 12.0 GB."""
    value = float(bytes_)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
