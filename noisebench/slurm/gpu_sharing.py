"""How many trials share a GPU of each pool, as `noisebench calibrate` measured it on GPUs of that kind."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from noisebench.slurm.job import WorkerJob, gpu_kind, gpus_of
from noisebench.slurm.site import Site
from noisebench.sweep.calibration import Calibration
from noisebench.sweep.trial import Trial

# For each pool, how many trials of each model share one of its GPUs.
Numbers = Sequence[Mapping[str, int]]


def calibrated(site: Site, calibration: Calibration, trials: Sequence[Trial]) -> Site:
    """Return the site with measured numbers of trials on a GPU, for models that its profile does not name.

    A pool has them if its `gpu_request`, or else its `constraint`, names a kind of GPU that was measured.
    """
    models = sorted({trial.training.model for trial in trials})
    by_pool = [calibration.of_gpus(kind_of(job)).trials_per_gpu(trials) for job in site.workers]
    measured = [
        {model: n for model, n in of_pool.items() if model not in site.trials_per_gpu} for of_pool in by_pool
    ]
    if not any(measured):
        return site
    numbers = [
        {model: of_pool.get(model, job.trials_factor * site.trials_per_gpu.get(model, 1)) for model in models}
        for job, of_pool in zip(site.workers, measured, strict=True)
    ]
    factors, trials_per_gpu = shared(numbers, [job.count * gpus_of(job) for job in site.workers])
    pools = (replace(job, trials_factor=n) for job, n in zip(site.workers, factors, strict=True))
    return replace(site, trials_per_gpu=trials_per_gpu, workers=tuple(pools))


def shared(numbers: Numbers, gpus: Sequence[int]) -> tuple[tuple[int, ...], dict[str, int]]:
    """Return a factor for each pool and a number for each model whose products exceed none of `numbers`.

    Ray reserves an equal part of a GPU for each trial of a model on all nodes, so a pool takes its factor
    times the models' numbers. With one model all products are exact; with several, the model that gets the
    least part of its places on all `gpus` (of each pool) gets as much as possible.
    """
    models = list(numbers[0])
    candidates = {(1,) * len(numbers)}
    for model in models:
        of_model = [number[model] for number in numbers]
        candidates.add(tuple(each // math.gcd(*of_model) for each in of_model))

    def parts_of(factors: tuple[int, ...]) -> dict[str, int]:
        pairs = list(zip(numbers, factors, strict=True))
        return {model: min(number[model] // factor for number, factor in pairs) for model in models}

    def least_use(factors: tuple[int, ...]) -> tuple[Fraction, Fraction]:
        places = sum(count * factor for count, factor in zip(gpus, factors, strict=True))
        uses = [
            Fraction(part * places, sum(n * number[model] for n, number in zip(gpus, numbers, strict=True)))
            for model, part in parts_of(factors).items()
        ]
        return min(uses), sum(uses, Fraction(0))

    best = max(sorted(candidates), key=least_use)
    return best, parts_of(best)


def kind_of(job: WorkerJob) -> str:
    """Return how the profile names the kind of a pool's GPUs, "" where it does not."""
    if job.gpu_request is None:
        return ""
    return gpu_kind(job.gpu_request) or job.constraint or ""
