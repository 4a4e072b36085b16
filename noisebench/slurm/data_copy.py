"""The data on a node's own disk, where the site wants a copy there."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from noisebench.data.files import needed_files
from noisebench.engine.scratch import private_scratch
from noisebench.errors import EnvironmentFault
from noisebench.records.manifest import kept_sweep
from noisebench.slurm.submission import Submission

_log = logging.getLogger(__name__)


@contextmanager
def node_data(submission: Submission) -> Iterator[Path | None]:
    """Yield the folder that the trials of this node read their data from; a copy is removed at the end.

    A data set of the user's own, a folder or a module, stays where it is. EnvironmentFault where the copy
    does not fit.
    """
    shared = submission.data_dir
    if shared is None or not submission.site.folders.copy_data:
        yield shared
        return
    with private_scratch(scratch_folder(submission.site.folders.scratch)) as scratch:
        copy = scratch / "data"
        copy.mkdir()
        try:
            _copy(submission, shared, copy)
        except OSError as error:
            raise EnvironmentFault(
                f"{copy}: the data cannot be copied here: {error.strerror}; choose another `folders.scratch` "
                "in the site, or set `copy_data: false`"
            ) from None
        yield copy


def _copy(submission: Submission, shared: Path, copy: Path) -> None:
    for file in needed_files(kept_sweep(submission.folder).trials()):
        for form in (file.path, *(file.unpacked or ())[:1]):
            if (shared / form).is_file():
                (copy / form).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(shared / form, copy / form)
                _log.info("copied %s", form)


def scratch_folder(folder: str | None) -> Path:
    """Return the scratch folder of this node; EnvironmentFault where it is missing."""
    if folder is None:
        return Path(tempfile.gettempdir())
    expanded = Path(os.path.expandvars(folder))
    if not expanded.is_dir():
        raise EnvironmentFault(
            f"{expanded}: no such folder on this node; correct `folders.scratch` in the site ({folder!r})"
        )
    return expanded
