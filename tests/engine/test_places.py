"""How a machine is divided among trials."""

from noisebench.engine.places import Share, places_of, share_of
from noisebench.engine.tune import resources_of
from tests.trials import trial_of


def test_one_thread_a_trial_without_gpus() -> None:
    assert share_of(cpus=2, gpus=0, trials_per_gpu=4) == Share(cpus=1, gpus=0, concurrent=2)


def test_gpus_are_shared_and_cpus_divided() -> None:
    assert share_of(cpus=16, gpus=2, trials_per_gpu=4) == Share(cpus=1.0, gpus=0.25, concurrent=8)
    assert share_of(cpus=2, gpus=1, trials_per_gpu=4) == Share(cpus=0.5, gpus=0.25, concurrent=4)


def test_what_ray_sets_aside_for_a_share() -> None:
    assert resources_of(share_of(cpus=2, gpus=1, trials_per_gpu=4)) == {"CPU": 0.5, "GPU": 0.25}
    assert resources_of(share_of(cpus=2, gpus=0, trials_per_gpu=4)) == {"CPU": 1}


def test_each_model_has_its_own_share() -> None:
    places = places_of(cpus=16, gpus=2, trials_per_gpu={"small-cnn": 4, "resnet-32": 2})
    assert places.concurrent == 8
    assert resources_of(places.share_for("small-cnn")) == {"CPU": 1.0, "GPU": 0.25}
    assert resources_of(places.share_for("resnet-32")) == {"CPU": 1.0, "GPU": 0.5}
    assert resources_of(places.share_for("resnet-34")) == {"CPU": 1.0, "GPU": 1.0}


def test_nodes_alike_hold_as_much_each() -> None:
    places = places_of(cpus=4, gpus=1, trials_per_gpu={"resnet-34": 2}, nodes=3)
    assert (places.concurrent, places.share_for("resnet-34").concurrent) == (6, 2)
    assert places_of(cpus=4, gpus=0, trials_per_gpu={"resnet-34": 2}, nodes=3).concurrent == 12


def test_a_larger_share_has_fewer_beside_it() -> None:
    assert share_of(cpus=4, gpus=0, trials_per_gpu=1).larger() == Share(cpus=2, gpus=0, concurrent=2)
    assert share_of(cpus=3, gpus=0, trials_per_gpu=1).larger() == Share(cpus=2, gpus=0, concurrent=1)
    assert share_of(cpus=4, gpus=2, trials_per_gpu=3).larger() == Share(cpus=2, gpus=1, concurrent=2)
    assert share_of(cpus=8, gpus=4, trials_per_gpu=1).larger() == Share(cpus=2, gpus=2, concurrent=2)
    assert share_of(cpus=1, gpus=0, trials_per_gpu=1).larger() is None


def test_only_what_helps_against_the_error_is_more() -> None:
    shared, whole = places_of(8, 2, {"small-cnn": 4}), places_of(8, 2, {})
    alone = places_of(1, 0, {})
    trial = trial_of()
    assert [places.has_more(trial, "gpu-memory") for places in (shared, whole, alone)] == [True, False, False]
    assert [places.has_more(trial, "host-memory") for places in (shared, whole, alone)] == [True, True, False]
    assert not shared.has_more(trial, "exception")
    larger = shared.larger()
    assert larger.share_for("small-cnn") == Share(cpus=4, gpus=1, concurrent=2)
    assert larger.concurrent == 4
