"""The corruptions that a sweep can name.

An implementation is `(trial, dataset, labels [N], rng) -> labels [N]`, see `noisebench.data.noisy_labels`.
"""

from __future__ import annotations

from noisebench.catalogue.descriptor import Descriptor, by_name
from noisebench.catalogue.parameters import REQUIRED, Parameter, flag, number

CORRUPTIONS = by_name(
    Descriptor(
        name="uniform",
        implementation="noisebench.data.noisy_labels:uniform",
        parameters={"rate": number(REQUIRED, 0, 1, open_high=True), "exact": flag(False)},
        source="arXiv 2511.16512, eq. 1",
    ),
    Descriptor(
        name="asymmetric",
        implementation="noisebench.data.noisy_labels:asymmetric",
        parameters={
            "rate": number(None, 0, 1, open_high=True, optional=True),
            "map": Parameter("text", "standard", choices=("standard",)),
            "matrix": Parameter("matrix", None, optional=True),
        },
        source="arXiv 2511.16512, eq. 1; the standard maps of Patrini et al. 2017",
    ),
    Descriptor(
        name="human",
        implementation="noisebench.data.noisy_labels:human",
        source="Wei et al. 2022",
    ),
    Descriptor(
        name="none",
        implementation="noisebench.data.noisy_labels:clean",
    ),
)
