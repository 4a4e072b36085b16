"""Kept images are read from the file, not held in memory."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from noisebench.catalogue.component import Component
from noisebench.data.datasets import load_dataset
from noisebench.data.own.arrays import from_arrays
from noisebench.data.own.cache import keep
from noisebench.training.inputs import InputPipeline
from noisebench.trial.memory import ResidentMemory

IMAGES, PIXELS = 8000, 64


@pytest.mark.slow
def test_an_epoch_of_images_takes_less_memory_than_the_images(tmp_path: Path) -> None:
    values = np.zeros((IMAGES, 3, PIXELS, PIXELS), dtype=np.uint8)
    values[:, 0, 0, 0] = np.arange(IMAGES) % 251
    source = from_arrays("images", values, np.arange(IMAGES) % 2)
    own = keep(source, tmp_path, say=lambda _: None)
    of_images = values.nbytes / 1024**2
    del values, source
    memory = ResidentMemory(os.getpid())
    before = memory.mb()
    dataset = load_dataset(Component.of("own-data", content=own.content), None, tmp_path)
    pixels = InputPipeline(dataset.judged.images, "unit")
    seen = torch.zeros(())
    for begin in range(0, IMAGES, 64):
        seen += pixels.drawn_batch(torch.arange(begin, min(begin + 64, IMAGES))[None], None).sum()
    assert seen > 0
    assert memory.mb() - before < of_images / 2
