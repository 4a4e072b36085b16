"""The second user: one who owns nothing here."""

import subprocess

OTHER = 60123
SECRET = "the-private-key-of-the-first-user"


def as_other_user(command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command as a user who owns nothing here."""
    return subprocess.run(
        ["/bin/sh", "-c", command],
        user=OTHER,
        group=OTHER,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
