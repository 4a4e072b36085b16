"""A trial has one thread in every library that sums."""

import torch
from threadpoolctl import threadpool_info, threadpool_limits

from noisebench.training.surrogate import isolated_torch


def test_a_trial_has_one_thread_and_gives_the_others_back() -> None:
    import sklearn.cluster  # noqa: F401  # its OpenMP must not be left out

    threads = torch.get_num_threads()
    with threadpool_limits(2):
        torch.set_num_threads(2)
        with isolated_torch(torch.device("cpu")):
            within = [pool["num_threads"] for pool in threadpool_info()]
            assert torch.get_num_threads() == 1
        after = [pool["num_threads"] for pool in threadpool_info()]
    assert len(within) >= 2
    assert set(within) == {1}
    assert set(after) == {2}
    torch.set_num_threads(threads)
