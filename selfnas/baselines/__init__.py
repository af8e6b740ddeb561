"""Baselines from outside the search: what a person would try first, on the same rows as the network that is delivered.

Names load on first use.
"""

from typing import TYPE_CHECKING

from selfnas.lazy import loading

if TYPE_CHECKING:
    from selfnas.baselines.baseline import Baseline
    from selfnas.baselines.catalogue import BASELINES, baselines_for
    from selfnas.baselines.comparing import BaselineResult, compare, fit_baseline

__all__ = ["BASELINES", "Baseline", "BaselineResult", "baselines_for", "compare", "fit_baseline"]

__getattr__, __dir__ = loading(
    __name__,
    {
        "baseline": ("Baseline",),
        "catalogue": ("BASELINES", "baselines_for"),
        "comparing": ("BaselineResult", "compare", "fit_baseline"),
    },
)
