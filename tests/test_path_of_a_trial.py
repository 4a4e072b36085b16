"""The path of a trial in docs/how-it-works.md is the one that a trial takes."""

import importlib
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from noisebench.records.folders import ResultsFolder
from noisebench.store.query import query
from tests.command import noisebench_here
from tests.trials import sweep_of, sweep_text

PAGE = Path(__file__).parents[1] / "docs" / "how-it-works.md"
ROW = re.compile(r"^\| `([\w/]+)\.py` \| `([\w.]+)` \|", re.MULTILINE)
WITH_RAY = {"TrialActor.step"}  # run by Ray in a process of its own; a run with --inline goes without


def steps() -> dict[str, Callable[..., Any]]:
    """Return the functions that the page names, by their names; each is defined in the file of its row."""
    section = PAGE.read_text().split("## The path of a trial")[1].split("\n## ")[0]
    found = {}
    for path, name in ROW.findall(section):
        value: Any = importlib.import_module(f"noisebench.{path.replace('/', '.')}")
        for part in name.split("."):
            value = inspect.getattr_static(value, part)
        function = getattr(value, "func", value)  # of a cached property
        assert Path(inspect.getsourcefile(function) or "").as_posix().endswith(f"noisebench/{path}.py")
        found[name] = function
    return found


def test_a_trial_takes_the_path_of_the_page(tmp_path: Path) -> None:
    functions = steps()
    assert len(functions) == 12
    (tmp_path / "sweep.yaml").write_text(sweep_text(name="demo"))
    codes = {function.__code__: name for name, function in functions.items()}
    called = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in codes:
            called.add(codes[frame.f_code])

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        done = noisebench_here("run", "sweep.yaml", "--inline", cwd=tmp_path)
    finally:
        sys.setprofile(before)
    assert done.returncode == 0, done.stderr
    assert called == functions.keys() - WITH_RAY
    (trial,) = sweep_of(name="demo").trials()
    rows = query(ResultsFolder(tmp_path / "results"), "SELECT trial_id FROM runs").rows()
    assert rows == [(trial.trial_id,)]
