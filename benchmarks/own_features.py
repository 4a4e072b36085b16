"""Feature vectors of images that need no trained network, for the benchmark of `noisebench detect`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

COMPONENTS = 64
PATCH, CENTRES, STRIDE = 6, 200, 2
SAMPLED_PATCHES = 50_000
# Added to the deviation of a patch and to the variances of the patches: Coates et al., section 3.1.
_OF_DEVIATION, _OF_VARIANCE = 10.0, 0.1

Floats = npt.NDArray[np.float64]


def components(images: npt.NDArray[np.uint8], count: int = COMPONENTS) -> npt.NDArray[np.float32]:
    """Return the first principal components [N, count] of images [N, H, W]."""
    centred = images.reshape(len(images), -1).astype(np.float64)
    centred -= centred.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ vectors[:, ::-1][:, :count], dtype=np.float32)


def patch_features(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return features [N, 4 * CENTRES] of images [N, H, W, 3], learned from these images without labels.

    Whitened patches, centres by k-means, "triangle" activation, a sum for each quadrant (Coates, Lee and Ng,
    AISTATS 2011).
    """
    from sklearn.cluster import MiniBatchKMeans

    rng = np.random.default_rng(0)
    per_image = -(-SAMPLED_PATCHES // len(images))
    sample = np.concatenate([_patches(image)[_drawn(image, rng, per_image)] for image in images])
    mean = sample.mean(axis=0)
    variances, vectors = np.linalg.eigh(np.cov(sample - mean, rowvar=False))
    whitening = vectors @ np.diag((variances + _OF_VARIANCE) ** -0.5) @ vectors.T
    clusters = MiniBatchKMeans(CENTRES, random_state=0, n_init=1, batch_size=4096)
    centres = clusters.fit((sample - mean) @ whitening).cluster_centers_
    return np.stack([_pooled(image, mean, whitening, centres) for image in images]).astype(np.float32)


def _patches(image: npt.NDArray[np.uint8]) -> Floats:
    """Return the patches [P, PATCH * PATCH * 3], row by row, each with mean 0 and a deviation near 1."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (PATCH, PATCH), axis=(0, 1))
    rows = windows[::STRIDE, ::STRIDE].reshape(-1, PATCH * PATCH * image.shape[2]).astype(np.float64)
    deviation = np.sqrt(rows.var(axis=1, keepdims=True) + _OF_DEVIATION)
    return np.asarray((rows - rows.mean(axis=1, keepdims=True)) / deviation)


def _drawn(image: npt.NDArray[np.uint8], rng: np.random.Generator, count: int) -> npt.NDArray[np.int64]:
    return rng.integers(0, _side(image.shape[0]) * _side(image.shape[1]), count)


def _side(pixels: int) -> int:
    return (pixels - PATCH) // STRIDE + 1


def _pooled(image: npt.NDArray[np.uint8], mean: Floats, whitening: Floats, centres: Floats) -> Floats:
    """Return how much nearer than the mean distance each centre is, summed over each quadrant."""
    patches = (_patches(image) - mean) @ whitening
    squares = (patches**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1) - 2 * patches @ centres.T
    distances = np.sqrt(np.maximum(squares, 0))
    activation = np.maximum(0, distances.mean(axis=1, keepdims=True) - distances)
    side = _side(image.shape[0])
    grid, half = activation.reshape(side, -1, len(centres)), side // 2
    halves = (slice(None, half), slice(half, None))
    return np.concatenate([grid[rows, columns].sum(axis=(0, 1)) for rows in halves for columns in halves])
