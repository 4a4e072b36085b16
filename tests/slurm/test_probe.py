"""A probe says whether it reached the driver's node, and answers also while it waits for that."""

import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from noisebench.records.durable import write_durably
from noisebench.records.folders import ResultsFolder
from noisebench.slurm import probe as probes
from noisebench.slurm.probe import Probe, look
from noisebench.slurm.survey import _await
from tests.slurm.fake_slurm import FakeSlurm


@pytest.fixture
def probe(tmp_path: Path) -> Probe:
    """The probe of a worker."""
    (tmp_path / "word").write_text("word")
    return Probe("worker", tmp_path, "word", ResultsFolder(tmp_path), ("lo",), str(tmp_path), False, None, ())


def network(probe: Probe) -> dict[str, Any]:
    """Return what a probe found of the network."""
    (found,) = [each for each in answer(probe)["findings"] if each["check"] == "network"]
    return dict(found)


def answer(probe: Probe) -> dict[str, Any]:
    return dict(json.loads(probe.answer.read_text()))


def test_without_the_drivers_probe_the_network_is_not_checked(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "MEET_SECONDS", 0)
    look(probe)
    assert network(probe)["seen"].startswith("not checked: the driver's probe did not listen")
    assert "within 3 minutes" in network(probe)["fix"]
    assert answer(probe)["final"]


@pytest.mark.slow
def test_a_worker_has_answered_while_it_waits_for_the_drivers_probe(probe: Probe) -> None:
    seen = []

    def drive() -> None:
        """Stand for the driver's probe, which starts while the worker's waits."""
        while not probe.answer.exists():
            time.sleep(0.05)
        seen.append((answer(probe)["final"], network(probe)["fix"] is None))
        place = dict(zip(("address", "port"), server.getsockname(), strict=True))
        write_durably(probe.listening, json.dumps(place).encode())

    with socket.create_server(("127.0.0.1", 0)) as server:
        driver = threading.Thread(target=drive, daemon=True)
        driver.start()
        look(probe)
        driver.join()
    assert seen == [(False, False)]
    assert (answer(probe)["final"], network(probe)["fix"]) == (True, None)


@pytest.mark.slow
def test_the_survey_waits_for_the_final_answer_and_takes_the_one_before_at_its_end(probe: Probe) -> None:
    waited: list[list[str]] = []
    fake = FakeSlurm()
    jobs = {probe: fake.add("probe", state="RUNNING")}
    for final in (False, True):
        probe.answer.write_text(json.dumps({"final": final}))
        found = _await(fake.client(), jobs, time.monotonic() + 0.1, waited.append)
        assert found == {probe: {"final": final}}
    assert waited == [["worker"]]
