"""How a machine is divided among trials."""

from noisebench.engine.tune import Share, places_of, resources_of, share_of


def test_one_thread_a_trial_without_gpus() -> None:
    assert share_of(cpus=2, gpus=0, trials_per_gpu=4) == Share(cpus=1, gpus=0, concurrent=2)


def test_gpus_are_shared_and_cpus_divided() -> None:
    assert share_of(cpus=16, gpus=2, trials_per_gpu=4) == Share(cpus=1.0, gpus=0.25, concurrent=8)
    assert share_of(cpus=2, gpus=1, trials_per_gpu=4) == Share(cpus=0.5, gpus=0.25, concurrent=4)


def test_what_ray_sets_aside_for_a_share() -> None:
    assert resources_of(share_of(cpus=2, gpus=1, trials_per_gpu=4)) == {"CPU": 0.5, "GPU": 0.25}
    assert resources_of(share_of(cpus=2, gpus=0, trials_per_gpu=4)) == {"CPU": 1}


def test_a_model_that_fills_a_gpu_gets_one() -> None:
    places = places_of(cpus=16, gpus=2, trials_per_gpu=4)
    assert places.concurrent == 8
    assert resources_of(places.share_for("small-cnn")) == {"CPU": 1.0, "GPU": 0.25}
    assert resources_of(places.share_for("resnet-34")) == {"CPU": 1.0, "GPU": 1.0}
