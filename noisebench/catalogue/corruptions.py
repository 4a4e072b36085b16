"""The kinds of wrong labels a sweep may name.

An implementation is `(labels [N], classes, rng, **parameters) -> labels [N]`; one of `asymmetric` and `human`
needs the data set as well, see `noisebench.data.noisy_labels`.
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
