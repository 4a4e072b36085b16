"""The losses that a sweep can name.

An implementation is `(logits [N, K], targets [N], **parameters) -> loss [N]`. In the formulas p is the
softmax probability of the given label, sg(x) is x, held constant in the gradient.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from noisebench.catalogue.descriptor import Descriptor, by_name
from noisebench.catalogue.parameters import FROM_RECIPE, REQUIRED, Parameter, choice, flag, integer, number


@dataclass(frozen=True, kw_only=True)
class LossDescriptor(Descriptor):
    """A loss.

    `delay` is the default number of epochs of CE before it (arXiv 2511.16512, eq. 6). `swept` names the
    parameter that the papers vary and choose by its result. `l1` names the parameter that weighs the L1 norm
    of the model, which is not passed to the implementation. `batchwise`: a sample's loss depends on the other
    samples of its batch. `gradient` is a function `(p [N], parameters) -> dL/dp [N]` for `dynamics: true`.
    """

    formula: str
    delay: int = 0
    swept: str | None = None
    l1: str | None = None
    batchwise: bool = False
    gradient: str | None = None

    @property
    def fields(self) -> Mapping[str, Parameter]:
        """The fields in a sweep: the delay and the parameters."""
        return {"delay": integer(self.delay, 0), **self.parameters}


# Parameters of every loss, also of a user's function.
COMMON: Mapping[str, Parameter] = {"delay": integer(0, 0)}

_ANL = {name: number(FROM_RECIPE, 0) for name in ("alpha", "beta", "delta")}

LOSSES = by_name(
    LossDescriptor(
        name="CE",
        formula="-log p",
        implementation="noisebench.science.losses:cross_entropy",
        gradient="noisebench.science.dynamics:cross_entropy_gradient",
    ),
    LossDescriptor(
        name="FL",
        formula="-(1 - p)^gamma log p",
        implementation="noisebench.science.losses:focal",
        parameters={"gamma": number(2, 0), "detach": flag(True)},
        gradient="noisebench.science.dynamics:focal_gradient",
        swept="gamma",
        source="Lin et al. 2017, eq. 4",
    ),
    LossDescriptor(
        name="GCE",
        formula="(1 - p^q) / q",
        implementation="noisebench.science.losses:generalized_cross_entropy",
        parameters={"q": number(0.7, 0, 1, open_low=True)},
        gradient="noisebench.science.dynamics:generalized_cross_entropy_gradient",
        swept="q",
        source="Zhang & Sabuncu 2018, eq. 6",
    ),
    LossDescriptor(
        name="ANL-CE",
        formula="alpha NCE + beta NNCE + delta |theta|_1",
        implementation="noisebench.science.active_negative:anl_cross_entropy",
        parameters=_ANL,
        l1="delta",
        source="Ye et al. 2023",
    ),
    LossDescriptor(
        name="ANL-FL",
        formula="alpha NFL + beta NNFL + delta |theta|_1",
        implementation="noisebench.science.active_negative:anl_focal",
        parameters={**_ANL, "gamma": number(FROM_RECIPE, 0)},
        l1="delta",
        source="Ye et al. 2023",
    ),
    LossDescriptor(
        name="BL",
        formula="-p^gamma log p",
        implementation="noisebench.science.losses:blurry",
        parameters={
            "gamma": number(REQUIRED, 0),
            "form": choice("detached", "detached", "printed", "clamped"),
        },
        gradient="noisebench.science.dynamics:blurry_gradient",
        swept="gamma",
        source="Blurry Loss, arXiv 2511.16512",
    ),
    LossDescriptor(
        name="PZ",
        formula="-log p where p > c, else 0",
        implementation="noisebench.science.losses:piecewise_zero",
        parameters={"c": number(REQUIRED, 0, 1, open_high=True)},
        gradient="noisebench.science.dynamics:piecewise_zero_gradient",
        # A model needs an epoch of CE before any p exceeds c.
        delay=1,
        swept="c",
        source="Piecewise-zero Loss, arXiv 2511.16512",
    ),
    LossDescriptor(
        name="MAE",
        formula="1 - p",
        implementation="noisebench.science.precursors:mean_absolute_error",
        source="Ghosh et al. 2017",
    ),
    LossDescriptor(
        name="SCE",
        formula="-alpha log p - beta A (1 - p)",
        implementation="noisebench.science.precursors:symmetric_cross_entropy",
        parameters={
            "alpha": number(0.1, 0),
            "beta": number(1, 0),
            "A": number(math.log(1e-4), high=0, open_high=True),
        },
        source="Wang et al. 2019",
    ),
    LossDescriptor(
        name="PHuber-CE",
        formula="-log p where p > 1/tau, else -tau p + log tau + 1",
        implementation="noisebench.science.precursors:partially_huberised",
        parameters={"tau": number(10, 1, open_low=True)},
        source="Menon et al. 2020",
    ),
    LossDescriptor(
        name="NCE+MAE",
        formula="alpha NCE + beta (1 - p)",
        implementation="noisebench.science.precursors:nce_mae",
        parameters={"alpha": number(1, 0), "beta": number(1, 0)},
        source="Ma et al. 2020",
    ),
    LossDescriptor(
        name="NCE+RCE",
        formula="alpha NCE - beta log(1e-4) (1 - p)",
        implementation="noisebench.science.precursors:nce_rce",
        parameters={"alpha": number(1, 0), "beta": number(1, 0)},
        source="Ma et al. 2020",
    ),
    LossDescriptor(
        name="AGCE",
        formula="((a + 1)^q - (a + p)^q) / q",
        implementation="noisebench.science.precursors:asymmetric_generalized",
        parameters={"a": number(0.6, 0, open_low=True), "q": number(0.6, 0, open_low=True)},
        source="Zhou et al. 2021",
    ),
    LossDescriptor(
        name="NL",
        formula="-sum_{k != y} log(1 - p_k) / (K - 1)",
        implementation="noisebench.science.precursors:negative_learning",
        source="Kim et al. 2019, eq. 2, expected over complementary labels",
    ),
    LossDescriptor(
        name="Curriculum",
        formula="the hinge loss of the samples that a batch selects, else 0",
        implementation="noisebench.science.precursors:curriculum",
        parameters={"epsilon": number(0, 0, 1, open_high=True)},
        batchwise=True,
        source="Lyu & Tsang 2020, Algorithm 1",
    ),
)
