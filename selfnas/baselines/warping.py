"""The nearest series by dynamic time warping within a band, the classic baseline of series.

Source: Sakoe and Chiba 1978 (IEEE TASSP 26), the band; Dau et al. 2019 (IEEE/CAA JAS 6), the baseline.
"""

from __future__ import annotations

import numpy as np

from selfnas.baselines.baseline import Floats, Predict, Scores, Setting
from selfnas.baselines.estimators import ideal
from selfnas.data.targets import Targets

__all__ = ["BAND", "nearest_dtw", "warped_distances"]

BAND = 0.1  # of the length, to either side
_AT_ONCE = 2**18  # pairs of series


def nearest_dtw(x: Floats, y: Targets, setting: Setting) -> Predict:
    """What the nearest training series has."""
    told = ideal(y, setting)

    def predict(rows: Floats) -> Scores:
        block = max(1, _AT_ONCE // len(x))
        parts = [warped_distances(rows[i : i + block], x).argmin(axis=1) for i in range(0, len(rows), block)]
        found: Scores = told[np.concatenate(parts)]
        return found

    return predict


def warped_distances(first: Floats, second: Floats) -> Floats:
    """`(n, m)` squared distances after the best warping of `(n, channels, length)` onto `(m, channels, length)`.

    All pairs are taken at once: a step of the recurrence is one operation on `(n, m)`.
    """
    length = first.shape[-1]
    band = max(1, round(BAND * length))
    far = np.full((len(first), len(second)), np.inf, dtype=np.float32)
    above = [far] * (length + 1)
    above[0] = np.zeros_like(far)
    for i in range(length):
        row = [far] * (length + 1)
        for j in range(max(0, i - band), min(length, i + band + 1)):
            apart = first[:, None, :, i] - second[None, :, :, j]
            best = np.minimum(np.minimum(above[j], above[j + 1]), row[j])
            row[j + 1] = best + (apart * apart).sum(axis=-1)
        above = row
    return above[length]
