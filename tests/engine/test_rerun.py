"""Repeated trials give the recorded results; falsified records differ."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from noisebench.records.lines import with_checksum
from tests.command import noisebench_here
from tests.trials import sweep_text


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of a sweep of three real trials."""
    folder = tmp_path_factory.mktemp("finished")
    text = sweep_text("[CE, {name: BL, gamma: 0.4}, {name: GCE, q: 0.7}]", name="demo")
    (folder / "sweep.yaml").write_text(text)
    assert noisebench_here("run", "sweep.yaml", "--inline", cwd=folder).returncode == 0
    return folder


def falsify(folder: Path, **changes: Any) -> str:
    """Change the members of the first start and its completed end; return the trial's id."""
    (path,) = (folder / "results/journal/demo").glob("*.jsonl")
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    for line in lines:
        del line["crc32"]
    for name, value in changes.items():
        (lines[0] if name in lines[0] else lines[1]["result"])[name] = value
    path.write_bytes(b"".join(with_checksum(json.dumps(line).encode()) for line in lines))
    return str(lines[0]["trial_id"])


@pytest.mark.slow
def test_repeated_trials_give_the_same_numbers(finished: Path) -> None:
    files = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    done = noisebench_here("verify", "demo", "--rerun", "2", "--json", cwd=finished)
    assert done.returncode == 0, done.stderr
    repetitions = json.loads(done.stdout)
    assert [(each["exact"], each["differences"]) for each in repetitions] == [(True, {})] * 2
    assert repetitions[0]["recorded"]["device"] == "cpu"
    assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == files
    assert "2 trials repeated, 2 of them on a CPU with equal versions: no result differs" in done.stderr


@pytest.mark.slow
def test_the_seed_selects_the_trials(finished: Path) -> None:
    samples = {
        json.loads(
            noisebench_here(
                "verify", "demo", "--rerun", "1", "--seed", str(seed), "--json", cwd=finished
            ).stdout
        )[0]["trial_id"]
        for seed in (0, 0, 1, 2)
    }
    assert 1 < len(samples) <= 3


def test_a_falsified_record_is_detected(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    trial_id = falsify(tmp_path, clean_accuracy=0.5)
    done = noisebench_here("verify", "demo", "--rerun", "3", cwd=tmp_path)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"trial {trial_id}, attempt ")
    assert lines[1].startswith("    clean_accuracy: recorded 0.5, repeated 0.")
    assert lines[2].startswith("    both on {'device': 'cpu'")
    assert len(lines) == 3
    assert "3 trials repeated, 3 of them on a CPU with equal versions: 1 differ" in done.stderr


@pytest.mark.slow
def test_on_another_device_results_agree_within_the_tolerance(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    _, end = (
        json.loads(line)
        for line in next((tmp_path / "results/journal/demo").glob("*.jsonl")).read_bytes().splitlines()[:2]
    )
    close, far = end["result"]["clean_accuracy"] + 0.01, end["result"]["clean_accuracy"] + 0.2
    falsify(tmp_path, device="cuda:0 NVIDIA H100", clean_accuracy=close)
    assert noisebench_here("verify", "demo", "--rerun", "3", cwd=tmp_path).returncode == 0
    falsify(tmp_path, clean_accuracy=far)
    done = noisebench_here("verify", "demo", "--rerun", "3", cwd=tmp_path)
    assert done.returncode == 1
    assert "recorded on {'device': 'cuda:0 NVIDIA H100'" in done.stdout
    assert "repeated on {'device': 'cpu'" in done.stdout
    falsify(tmp_path, clean_accuracy=close, noise_hash="0" * 16)
    assert "noise_hash: recorded" in noisebench_here("verify", "demo", "--rerun", "3", cwd=tmp_path).stdout


def test_a_sweep_without_a_name_or_a_result_is_an_input_error(finished: Path, tmp_path: Path) -> None:
    assert noisebench_here("verify", "--rerun", "1", cwd=finished).returncode == 2
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "results/journal")
    done = noisebench_here("verify", "demo", "--rerun", "1", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "noisebench: --rerun: no trial of demo has completed yet\n")
