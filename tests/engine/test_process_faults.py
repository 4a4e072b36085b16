"""Faults of a process or its storage on a real Ray: the trial runs again, the others are not affected."""

from pathlib import Path

import pytest

from noisebench.records.folders import ResultsFolder
from noisebench.store.query import query
from tests.command import noisebench
from tests.trials import sweep_text

pytestmark = [pytest.mark.ray, pytest.mark.slow]

# The error that torch raises after a kernel has corrupted the CUDA context; every later call fails too.
LOSSES = """
import errno, os
from pathlib import Path

poisoned = False

def _fault():
    global poisoned
    poisoned = True
    raise RuntimeError("CUDA error: an illegal memory access was encountered")

def once(logits, targets):
    marker = Path("once-done")
    if not marker.exists():
        marker.touch()
        _fault()
    return healthy(logits, targets)

def always(logits, targets):
    _fault()

def healthy(logits, targets):
    import torch
    if poisoned:
        _fault()
    return torch.nn.functional.cross_entropy(logits, targets, reduction="none")

def full(logits, targets):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

def full_at_the_end(logits, targets):
    # Until there is a file `space`, this process can no longer append the end of a trial.
    import torch
    from noisebench.records import durable
    real = os.write

    def write(descriptor, data):
        if b'"event":"ended"' in data and not Path("space").exists():
            Path("refused").touch()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data)

    os.write, durable.RETRY_SECONDS = write, (0.0,)
    return torch.nn.functional.cross_entropy(logits, targets, reduction="none")
"""
ENDS = "SELECT status, error_kind, count(*) FROM attempts GROUP BY ALL ORDER BY ALL"


def run(folder: Path, *losses: str, seeds: int = 1) -> tuple[int, str]:
    (folder / "faulty.py").write_text(LOSSES)
    text = sweep_text(f"[{', '.join(losses)}]", seeds=str(seeds), name="demo")
    (folder / "sweep.yaml").write_text(text)
    done = noisebench("run", "sweep.yaml", "--cpus", "1", cwd=folder)
    return done.returncode, done.stderr


def test_a_process_with_a_broken_gpu_ends_and_its_trial_runs_in_a_new_one(tmp_path: Path) -> None:
    code, text = run(tmp_path, '"faulty:once"', '"faulty:healthy"', "CE", seeds=2)
    assert (code, "6 of 6 trials completed" in text) == (0, True)
    results = ResultsFolder(tmp_path / "results")
    assert query(results, ENDS).rows() == [("completed", None, 6), ("interrupted", "gpu-error", 1)]
    files = list(results.sweep("demo").journal.glob("*.jsonl"))
    assert len([path for path in files if '"event":"started"' in path.read_text()]) == 2  # processes


def test_a_trial_that_breaks_every_gpu_fails_alone(tmp_path: Path) -> None:
    code, text = run(tmp_path, '"faulty:always"', '"faulty:healthy"', "CE")
    assert (code, "2 of 3 trials completed" in text) == (1, True)
    assert query(ResultsFolder(tmp_path / "results"), ENDS).rows() == [
        ("completed", None, 2),
        ("failed", "gpu-error", 1),
        ("interrupted", "gpu-error", 2),
    ]


@pytest.mark.parametrize("inline", [False, True], ids=["ray", "inline"])
def test_a_full_disk_does_not_fail_the_trial(tmp_path: Path, inline: bool) -> None:
    (tmp_path / "faulty.py").write_text(LOSSES)
    (tmp_path / "sweep.yaml").write_text(sweep_text('[CE, "faulty:full", FL]', name="demo"))
    options = ("--inline",) if inline else ("--cpus", "1")
    done = noisebench("run", "sweep.yaml", *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert "No space left on device" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    ends = query(ResultsFolder(tmp_path / "results"), ENDS).rows()
    assert ("interrupted", "storage", 1) in ends
    assert not [end for end in ends if end[0] == "failed"]


@pytest.mark.parametrize("inline", [False, True], ids=["ray", "inline"])
def test_a_disk_that_is_full_at_the_last_append_of_a_trial(tmp_path: Path, inline: bool) -> None:
    """The trial has ended, but no record says so: it is neither completed nor failed, and runs again."""
    (tmp_path / "faulty.py").write_text(LOSSES)
    (tmp_path / "sweep.yaml").write_text(sweep_text('"faulty:full_at_the_end"', name="demo"))
    options = ("--inline",) if inline else ("--cpus", "1")
    done = noisebench("run", "sweep.yaml", *options, cwd=tmp_path)
    assert (tmp_path / "refused").exists()
    assert (done.returncode, done.stdout) == (3, "")
    assert "No space left on device" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    results = ResultsFolder(tmp_path / "results")
    ((state,),) = query(results, "SELECT state FROM trial_states").rows()
    assert state in ("started", "interrupted")
    (tmp_path / "space").touch()
    assert noisebench("run", "sweep.yaml", *options, cwd=tmp_path).returncode == 0
    completed, interrupted = query(results, ENDS).rows()
    assert (completed, interrupted[0]) == (("completed", None, 1), "interrupted")
    assert query(results, "SELECT state FROM trial_states").rows() == [("completed",)]
