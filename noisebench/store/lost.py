"""Journal files that are gone: the database forgets them with its next rebuild, this list does not."""

from __future__ import annotations

import json
from collections.abc import Mapping

from noisebench.records.durable import read_inside, write_inside
from noisebench.records.folders import ResultsFolder
from noisebench.store.lines import Taken

# In the results folder: how many bytes of each lost file the database had read, by the file's path.
FILE = "lost-journals.json"


def lost_now(results: ResultsFolder, taken: Taken) -> dict[str, int]:
    """Return the journal files that are gone or shorter than what was read of them, with the bytes read."""
    read = {file: size for file, (size, _) in taken.items() if file.startswith("journal/")}
    return _still_lost(results, read)


def known_losses(results: ResultsFolder) -> dict[str, int]:
    """Return the files of the list that have not come back, with the bytes that the database had read."""
    try:
        listed = json.loads(read_inside(results.root, FILE))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(listed, dict):
        return {}
    # A path in the list is compared with files, so it must not lead out of the folder.
    known = {
        file: size
        for file, size in listed.items()
        if isinstance(size, int) and file.startswith("journal/") and ".." not in file.split("/")
    }
    return _still_lost(results, known)


def note_losses(results: ResultsFolder, lost: Mapping[str, int]) -> None:
    """Add files to the list; raise OSError if it cannot be written."""
    known = known_losses(results)
    if lost.items() <= known.items():
        return
    text = json.dumps({**known, **lost}, indent=1, sort_keys=True) + "\n"
    write_inside(results.root, FILE, text.encode())


def _still_lost(results: ResultsFolder, read: Mapping[str, int]) -> dict[str, int]:
    lost = {}
    for file, size in sorted(read.items()):
        try:
            now = (results.root / file).stat().st_size
        except FileNotFoundError:
            now = -1
        except (OSError, ValueError):  # no file name, or no permission to look
            continue
        if now < size:
            lost[file] = size
    return lost
