"""A label table: CSV or Parquet, one row for each sample; and corrected labels for samples by id."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from noisebench.data.own.cache import hashes_of
from noisebench.data.own.folder import as_text
from noisebench.data.own.named_files import NamedFiles, is_written_by_others, named_files
from noisebench.data.own.source import Source, checked, indexed, named
from noisebench.errors import InputError

ENDINGS = (".csv", ".parquet")
_CORRECTED = ("id", "label", "given", "sha256")
_RIGHT = "a label table has the columns path and label, and may have id, group and split"

Columns = dict[str, list[str]]


def read_label_table(file: Path, root: Path | None = None) -> Source:
    """Return the images of a label table; paths are relative to `root`, by default the table's folder.

    Samples with equal `group` stay in one fold. Samples of all splits are judged together. Raises InputError
    for what is wrong, also for files that are not below the folder in a table that others could write.
    """
    columns = _read(file)
    for name in ("path", "label"):
        if name not in columns:
            raise InputError(
                f"{file}: has no column {name}, only {', '.join(columns) or 'nothing'}; {_RIGHT}"
            )
    for name in ("path", "label", *({"id", "group"} & columns.keys())):
        empty = [str(row + 1) for row, text in enumerate(columns[name]) if not text]
        if empty:
            raise InputError(f"{file}: column {name} is empty in {named(empty, 'row')}; fill it in")
    folder = (file.parent if root is None else root).absolute()
    files = named_files(str(file), columns["path"], folder)
    classes, labels = indexed(columns["label"])
    splits = sorted(set(columns.get("split", ())))
    notes = [f"the splits {', '.join(splits)} are judged together"] if len(splits) > 1 else []
    return Source(
        name=str(file),
        ids=tuple(map(as_text, columns.get("id", columns["path"]))),
        labels=labels,
        classes=classes,
        paths=files.paths,
        groups=indexed(columns["group"])[1] if "group" in columns else None,
        notes=(*notes, *_notes_of_outside(file, files, folder)),
    )


def _notes_of_outside(file: Path, files: NamedFiles, folder: Path) -> list[str]:
    """Return a note on files that are not below the folder; raise InputError if others wrote the table."""
    if not files.outside:
        return []
    outside = f"{named(files.outside, 'file')} of {file} not below {folder}"
    if is_written_by_others(file):
        raise InputError(
            f"{outside}, and others have written the table or can: the page of suspects would show what only "
            f"you may read. If you have checked its paths, use a copy: cp {file} COPY; chmod 600 COPY"
        )
    return [f"{outside}: the page of suspects shows them"]


def corrected(source: Source, file: Path) -> Source:
    """Return the samples with the labels of a file that `noisebench review` wrote; those it lacks are left
    out.

    Raises InputError if it names samples that `source` does not have, or with other content or another given
    label, or if it leaves too few to be judged.
    """
    columns = _read(file)
    missing = [name for name in _CORRECTED if name not in columns]
    if missing:
        raise InputError(
            f"{file}: has no column {', '.join(missing)}, so it cannot be compared with the data; "
            f"`noisebench review NAME --decisions {file.with_name('decisions.csv')}` writes it anew"
        )
    labels = dict(zip(columns["id"], columns["label"], strict=True))
    unknown = sorted(labels.keys() - set(source.ids))
    if unknown:
        raise InputError(
            f"{file}: {named(unknown, 'id')} not in {source.name}; name the data that were reviewed"
        )
    _refuse_changed(source, file, columns)
    rows = np.array([row for row, name in enumerate(source.ids) if name in labels], dtype=np.int64)
    kept = source.at(rows).relabelled([labels[source.ids[row]] for row in rows])
    left_out = len(source.ids) - len(rows)
    note = f"{left_out} samples that {file} does not have are left out"
    return checked(replace(kept, notes=(*kept.notes, note)) if left_out else kept)


def _refuse_changed(source: Source, file: Path, columns: Columns) -> None:
    seen = zip(columns["sha256"], columns["given"], strict=True)
    reviewed = dict(zip(columns["id"], seen, strict=True))
    changed = []
    for name, sha256, label in zip(source.ids, hashes_of(source), source.labels, strict=True):
        given = source.classes[label]
        of_file, of_label = reviewed.get(name, (sha256, given))
        if of_file != sha256:
            changed.append(f"{name}: other content")
        elif of_label != given:
            changed.append(f"{name}: label '{given}', reviewed '{of_label}'")
    if changed:
        raise InputError(
            f"{file}: is of other data than {source.name}: {named(changed, 'sample')} differ; name the data "
            "that were reviewed, or give these another --name"
        )


def _read(file: Path) -> Columns:
    """Return the columns of a table as text."""
    try:
        return _read_csv(file) if file.suffix.lower() == ".csv" else _read_parquet(file)
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: is not UTF-8 ({error.reason} at byte {error.start}); save it so") from None
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from None


def _read_csv(file: Path) -> Columns:
    with file.open(newline="", encoding="utf-8-sig") as opened:
        try:
            rows = [row for row in csv.reader(opened, strict=True) if row]
        except csv.Error as error:
            raise InputError(f"{file}: is no valid CSV: {error}") from None
    if not rows:
        return {}
    header = [name.strip() for name in rows[0]]
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise InputError(f"{file}: row {number} has {len(row)} cells, but the header has {len(header)}")
    return {name: [row[position] for row in rows[1:]] for position, name in enumerate(header)}


def _read_parquet(file: Path) -> Columns:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(file)
    except pyarrow.ArrowException as error:
        raise InputError(f"{file}: is no valid Parquet file: {error}") from None
    return {name: _texts(table[name].to_pylist()) for name in table.column_names}


def _texts(values: Sequence[Any]) -> list[str]:
    return ["" if value is None else str(value) for value in values]
