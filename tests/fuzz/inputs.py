"""Random values and random damage to texts."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63 - 1,
    -(2**63),
    2**64,
    10**400,
    1e308,
    -1e308,
    5e-324,
    0.1,
    "",
    "x",
    "a" * 3000,
    "\0",
    "\ud800",
    "é\u2028\x1b[31m",
    "../../etc/passwd",
    "/etc/passwd",
    "0000-00-00T00:00:00+00:00",
    "2026-02-30T10:00:00+00:00",
    "9999-12-31T23:59:59.999999-23:59",
    "0001-01-01T00:00:00+23:59",
    "2026-11-20T10:00:00",
    "completed",
    "NaN",
    "'; DROP TABLE results; --",
    [],
    {},
    [[[[[]]]]],
    {"a": {"b": [1, None]}},
    [1, "x", None],
]


def value(random: Random) -> Any:
    """Return a value of any JSON kind, most often an extreme one."""
    if random.random() < 0.8:
        return random.choice(VALUES)
    kinds = [random.randint(-(2**70), 2**70), random.uniform(-1e9, 1e9), text(random, 20)]
    return random.choice([*kinds, [random.choice(VALUES)], {text(random, 5): random.choice(VALUES)}])


def text(random: Random, length: int) -> str:
    """Return random characters, some of them unusual."""
    return "".join(
        chr(random.choice([random.randint(0, 127), random.randint(0, 0x2FF)])) for _ in range(length)
    )


def damaged(random: Random, data: bytes) -> bytes:
    """Return `data` with one to three pieces changed, removed, doubled or moved."""
    for _ in range(random.randint(1, 3)):
        start = random.randint(0, len(data))
        end = min(len(data), start + random.choice([1, 1, 2, 8, 64, 512]))
        piece = data[start:end]
        pieces = [b"", bytes([random.randint(0, 255)]), piece * 2, b"\0" * len(piece), random.randbytes(4)]
        data = data[:start] + random.choice(pieces) + data[end:]
    return data


def places(members: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in nested mappings and lists."""
    items = members.items() if isinstance(members, dict) else enumerate(members)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))


def replaced(random: Random, members: dict[str, Any]) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """Return a copy in which one value, at any depth, is another or is missing, with its path."""
    changed = json.loads(json.dumps(members))
    path = random.choice(list(places(changed)))
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    if random.random() < 0.2:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value(random)
    return changed, path


def tree(*roots: Path) -> dict[str, bytes | str]:
    """Return everything below the folders: the content of files, the target of links, "folder"."""
    found: dict[str, bytes | str] = {}
    for path in (path for root in roots for path in sorted(root.rglob("*"))):
        if path.is_symlink():
            found[str(path)] = f"link to {path.readlink()}"
        else:
            found[str(path)] = path.read_bytes() if path.is_file() else "folder"
    return found


def stamps(root: str | Path) -> dict[str, tuple[int, ...]]:
    """Return inode, mode, size and times of all that is below a folder: equal if nothing changed."""
    found: dict[str, tuple[int, ...]] = {}
    folders = [os.fspath(root)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                stat = entry.stat(follow_symlinks=False)
                found[entry.path] = (
                    stat.st_ino,
                    stat.st_mode,
                    stat.st_size,
                    stat.st_mtime_ns,
                    stat.st_ctime_ns,
                )
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    return found
