"""The files of a folder of images, one sub-folder a class, and the hash of what they contain."""

from __future__ import annotations

import hashlib
from pathlib import Path

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
# Above this size only names and sizes are hashed: a sweep is read in seconds.
MAX_HASHED_BYTES = 2 * 1024**3


def image_files(folder: Path) -> dict[str, list[Path]]:
    """Return the image files of each class, classes and files in sorted order; raise OSError."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    return {
        path.name: sorted(file for file in path.iterdir() if file.suffix.lower() in ENDINGS)
        for path in classes
    }


def content_hash(folder: Path) -> str | None:
    """Return 16 hex digits of a sha256 over names, sizes and contents; None where they cannot be read."""
    try:
        files = [file for members in image_files(folder).values() for file in members]
        sizes = [file.stat().st_size for file in files]
        whole = sum(sizes) <= MAX_HASHED_BYTES
        digest = hashlib.sha256()
        for file, size in zip(files, sizes, strict=True):
            digest.update(f"{file.relative_to(folder)}\0{size}\0".encode(errors="surrogateescape"))
            if whole:
                with file.open("rb") as opened:
                    digest.update(hashlib.file_digest(opened, "sha256").digest())
    except OSError:
        return None
    return digest.hexdigest()[:16]
