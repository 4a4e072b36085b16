"""The division of machines among trials."""

from pathlib import Path

import pytest

from noisebench.engine import ray_session
from noisebench.engine.options import Cluster
from noisebench.engine.places import Share, places_of, share_of
from noisebench.records.attempts import ErrorKind
from tests.trials import trial_of

MODELS = ("small-cnn", "resnet-32", "resnet-34")


def test_without_gpus_each_trial_has_one_thread() -> None:
    assert share_of(cpus=2, gpus=0, trials_per_gpu=4) == Share(cpus=1, gpus=0, concurrent=2)


def test_gpus_are_shared_and_cpus_divided() -> None:
    assert share_of(cpus=16, gpus=2, trials_per_gpu=4) == Share(cpus=1.0, gpus=0.25, concurrent=8)
    assert share_of(cpus=2, gpus=1, trials_per_gpu=4) == Share(cpus=0.5, gpus=0.25, concurrent=4)


def test_resources_that_ray_reserves_for_a_share() -> None:
    assert share_of(cpus=2, gpus=1, trials_per_gpu=4).resources() == {"CPU": 0.5, "GPU": 0.25}
    assert share_of(cpus=2, gpus=0, trials_per_gpu=4).resources() == {"CPU": 1}


def test_each_model_has_its_own_share() -> None:
    places = places_of(16, 2, {"small-cnn": 4, "resnet-32": 2}, MODELS)
    assert places.max_concurrent == 8
    assert [places.shares[model].gpus for model in MODELS] == [0.25, 0.5, 1.0]


def test_only_the_models_of_the_sweep_count() -> None:
    places = places_of(16, 2, {"small-cnn": 48}, ["resnet-34"], max_machines=2)
    assert places.max_concurrent == 4


def test_equal_machines_hold_equally_many_trials() -> None:
    places = places_of(4, 1, {"resnet-34": 2}, MODELS, max_machines=3)
    assert (places.max_concurrent, places.shares["resnet-34"].concurrent) == (6, 2)
    assert places_of(4, 0, {"resnet-34": 2}, MODELS, max_machines=3).max_concurrent == 12


def test_with_a_larger_share_fewer_trials_run_concurrently() -> None:
    assert share_of(cpus=4, gpus=0, trials_per_gpu=1).larger() == Share(cpus=2, gpus=0, concurrent=2)
    assert share_of(cpus=3, gpus=0, trials_per_gpu=1).larger() == Share(cpus=2, gpus=0, concurrent=1)
    assert share_of(cpus=4, gpus=2, trials_per_gpu=3).larger() == Share(cpus=2, gpus=1, concurrent=2)
    assert share_of(cpus=8, gpus=4, trials_per_gpu=1).larger() == Share(cpus=2, gpus=2, concurrent=2)
    assert share_of(cpus=1, gpus=0, trials_per_gpu=1).larger() is None


def test_a_share_is_larger_only_in_the_resource_that_the_error_lacked() -> None:
    shared, whole = places_of(8, 2, {"small-cnn": 4}, MODELS), places_of(8, 2, {}, MODELS)
    places = (shared, whole, places_of(1, 0, {}, MODELS))
    trial = trial_of()
    assert [each.has_larger_share(trial, ErrorKind.GPU_MEMORY) for each in places] == [True, False, False]
    assert [each.has_larger_share(trial, ErrorKind.HOST_MEMORY) for each in places] == [True, True, False]
    assert not shared.has_larger_share(trial, ErrorKind.EXCEPTION)
    larger = shared.larger()
    assert larger.share_for(trial) == Share(cpus=4, gpus=1, concurrent=2)
    assert larger.max_concurrent == 4


def test_a_node_with_twice_the_gpus_counts_as_two(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = {"small": {"CPU": 16.0, "GPU": 4.0}, "large": {"CPU": 64.0, "GPU": 8.0}}
    monkeypatch.setattr(ray_session, "_alive_resources", lambda: nodes)
    cluster = Cluster("10.0.0.1:6379", "10.0.0.1", 98, 16.0, 4, {"small-cnn": 2}, Path("/tmp"))
    # The nodes count as three with four GPUs, and one more may join.
    assert ray_session._cluster_places(cluster, {"small-cnn"}).machines() == 4
