"""Checks of the files of data sets and pretrained weights."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from noisebench.catalogue.datasets import DATASETS, dataset
from noisebench.catalogue.files import Content, DataFile
from noisebench.catalogue.models import model_of
from noisebench.errors import DataError
from noisebench.sweep.trial import Trial

_PUBLISHED = [file for entry in DATASETS.values() for file in entry.files]
_KNOWN = {
    **{file.path: file.content for file in _PUBLISHED},
    **dict(file.unpacked for file in _PUBLISHED if file.unpacked is not None),
}


def needed_files(trials: Iterable[Trial]) -> list[DataFile]:
    """Return the files that the trials read, without duplicates, in a fixed order."""
    trials = list(trials)
    names = sorted({trial.dataset.name for trial in trials})
    files = [file for name in names for file in dataset(name).files]
    return list(dict.fromkeys([*files, *_weights(trials)]))


def _weights(trials: Iterable[Trial]) -> list[DataFile]:
    models = sorted({trial.training.model for trial in trials if trial.training.pretrained})
    files = (model_of(model).weights_file() for model in models)
    return [file for file in files if file is not None]


def problem(file: DataFile, data_dir: Path) -> str | None:
    """Return the problem of a file under `data_dir`, None if it is intact."""
    forms = [(file.path, file.content), *([file.unpacked] if file.unpacked else [])]
    present = [(data_dir / path, content) for path, content in forms if (data_dir / path).is_file()]
    if not present:
        return f"{data_dir / file.path}: missing (expected {file.content.checksum})"
    damaged = None
    for path, content in present:
        mismatch = _mismatch(path, content, path.stat().st_mtime_ns)
        if mismatch is None:
            return None
        damaged = f"{path}: damaged: {mismatch}"
    return damaged


def read_verified(data_dir: Path, path: str, content: Content | None = None) -> bytes:
    """Return the verified bytes of the file at `path` under `data_dir`; default: the content of a data set.

    Trials use these bytes, since a file can change after `check_files`; code that unpickles must. Raises
    DataError if the file is missing or is not the published one; never reads more than the expected size.
    """
    content = content or _KNOWN[path]
    try:
        with (data_dir / path).open("rb") as file:
            data = file.read(content.size + 1)
    except OSError as error:
        reason = "missing" if isinstance(error, FileNotFoundError) else error.strerror or error
        raise DataError(f"{data_dir / path}: {reason}; `noisebench prepare` fetches it") from None
    mismatch = content.mismatch(data)
    if mismatch is not None:
        raise DataError(
            f"{data_dir / path}: not the published file: {mismatch}; "
            "remove it, `noisebench prepare` fetches it again"
        )
    return data


def check_files(trials: Iterable[Trial], data_dir: Path | None) -> None:
    """Raise one DataError that names every missing or damaged file of these trials."""
    trials = list(trials)
    needed = needed_files(trials)
    if not needed:
        return
    if data_dir is None:
        first = ", ".join(file.path for file in needed[:2])
        raise DataError(f"this sweep reads data files ({first}, ...): say where they are with --data DIR")
    problems = {file: text for file in needed if (text := problem(file, data_dir))}
    if problems:
        fixes = [
            f"`noisebench prepare SPEC --data {data_dir}` fetches what is missing, where there is internet"
        ]
        if weights := [file for file in _weights(trials) if file in problems]:
            fixes += [f"{file.path} is published at {file.url}" for file in weights]
            fixes.append("`training: {pretrained: false}` starts from random weights, which is another trial")
        raise DataError("\n".join([*problems.values(), *fixes]))


@lru_cache(maxsize=64)
def _mismatch(path: Path, content: Content, _modified_ns: int) -> str | None:
    with path.open("rb") as file:
        return content.mismatch(file.read(content.size + 1))
