"""A user's own data by what the user names: a folder, a label table, an .npz file, a function."""

from __future__ import annotations

from pathlib import Path

from noisebench.data.own.arrays import read_function, read_npz
from noisebench.data.own.folder import read_folder
from noisebench.data.own.label_table import ENDINGS, read_label_table
from noisebench.data.own.source import Source, checked
from noisebench.errors import InputError
from noisebench.sweep import reference

_KINDS = (
    "a folder with a sub-folder of images for each class, a .csv or .parquet file with path and label, an "
    ".npz file with X and y, or your own module:function"
)


def read_source(data: str, data_dir: Path | None = None, root: Path | None = None) -> Source:
    """Return the samples that `data` names; raise InputError if they cannot be judged.

    `data_dir` is passed to a user's function; `root` is the folder of a label table's paths. No image is
    decoded.
    """
    path = Path(data)
    is_table = path.suffix.lower() in ENDINGS
    if root is not None and not (is_table and path.is_file()):
        raise InputError(f"--root {root}: only for a label table, a .csv or .parquet file; {data} is none")
    if path.is_dir():
        return checked(read_folder(path.absolute()))
    if path.is_file():
        if path.suffix.lower() == ".npz":
            return checked(read_npz(path.absolute()))
        if is_table:
            return checked(read_label_table(path.absolute(), root))
        raise InputError(f"{data}: is a {path.suffix or 'file without ending'}; name {_KINDS}")
    if reference.is_reference(data):
        return checked(read_function(data, data_dir))
    raise InputError(f"{data}: no such file or folder; name {_KINDS}")
