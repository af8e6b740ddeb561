"""Watching a network on new data: has what it sees changed, and does that cost it accuracy?

Two streams of numbers are followed with ADWIN (Bifet and Gavalda 2007, SDM), an adaptive window that shrinks when the
means of two of its parts differ by more than chance allows: whether each example was classified wrongly, and how much
of each input lies outside the main directions of the training inputs. The task's own test examples come first, as the
reference. Examples of the reference and of each batch are followed in the order of `by_content`. Everything is a
function of the recorded numbers, so that a ledger can be replayed and re-checked.

A drift is *confirmed* when the error rate rises: ADWIN says so, or ADWIN says that the inputs changed and an exact test
says that more errors were made since. Inputs that change without costing accuracy are *suspected* and no more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["DriftMonitor", "InputProfile", "Look", "by_content"]

_DELTA = 0.002  # of ADWIN: its authors' and river's default
_LEAST = 20  # examples since an input change before errors are tested
_ALPHA = 0.001  # of that test, which is repeated at every batch
_DIRECTIONS = 8
_MAX_EXAMPLES = 1000  # that a profile is made of

Verdict = Literal["steady", "suspected", "drift"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is known after a batch.

    Attributes:
        verdict: of all batches so far; `drift` stays.
        change: example, counted from the first batch's first, from which on the data seem to be new; None if steady.
            While suspected by ADWIN's window, which errs early; once confirmed by maximum likelihood over the errors.
        by: which stream said so: `errors` or `inputs`; empty while steady.
    """

    verdict: Verdict
    change: int | None
    by: str


class DriftMonitor:
    """Follows one network.

    Args:
        errors: 0 or 1 for each reference example.
        residuals: `InputProfile.residuals` of them, in [0, 1].
    """

    def __init__(self, errors: Sequence[int], residuals: Sequence[float]) -> None:
        from river.drift import ADWIN

        make: Any = ADWIN  # untyped
        self._detectors: dict[str, Any] = {name: make(delta=_DELTA) for name in ("errors", "inputs")}
        self._reference = list(errors)
        self._errors: list[int] = []
        self._look = Look(verdict="steady", change=None, by="")
        self._follow(errors, residuals, counted=False)

    def update(self, errors: Sequence[int], residuals: Sequence[float]) -> Look:
        """Take in one batch, in order.

        Raises:
            ValueError: the two are not of one length.
        """
        if len(errors) != len(residuals):
            raise ValueError(f"{len(errors)} errors, but {len(residuals)} residuals")
        self._follow(errors, residuals, counted=True)
        look = self._look
        if look.verdict == "suspected" and look.change is not None and self._worse_since(look.change):
            look = Look(verdict="drift", change=look.change, by="inputs")
        if look.verdict == "drift":
            look = Look(verdict="drift", change=self._step(), by=look.by)
        self._look = look
        return look

    def _follow(self, errors: Sequence[int], residuals: Sequence[float], *, counted: bool) -> None:
        for wrong, residual in zip(errors, residuals, strict=True):
            if counted:
                self._errors.append(int(wrong))
            for name, value in (("errors", float(wrong)), ("inputs", float(residual))):
                detector = self._detectors[name]
                before = float(detector.estimation)
                detector.update(value)
                if detector.drift_detected and counted:
                    self._noticed(name, rose=float(detector.estimation) > before, width=int(detector.width))

    def _noticed(self, name: str, *, rose: bool, width: int) -> None:
        """ADWIN drops old examples little by little, so its later, shorter windows tell better where the change was."""
        look = self._look
        change = max(0, len(self._errors) - width, look.change or 0)
        if name == "errors" and rose and look.verdict != "drift":
            self._look = Look(verdict="drift", change=change, by="errors")
        elif look.verdict == "steady":
            if name == "inputs":
                self._look = Look(verdict="suspected", change=change, by="inputs")
        elif name == look.by:
            self._look = Look(verdict=look.verdict, change=change, by=look.by)

    def _step(self) -> int:
        """Where one step up of the error rate is most likely to be (maximum likelihood), the reference in front."""
        errors = np.array([*self._reference, *self._errors], dtype=np.float64)
        places = np.arange(len(self._reference), len(errors))
        places = places[places > 0]
        before, total = np.cumsum(errors)[places - 1], float(errors.sum())
        after, left, right = total - before, places.astype(np.float64), len(errors) - places.astype(np.float64)
        likelihood = _log_likelihood(before, left) + _log_likelihood(after, right)
        rises = after / right > before / left
        best = int(np.argmax(np.where(rises, likelihood, -np.inf)))
        return int(places[best]) - len(self._reference)

    def _worse_since(self, change: int) -> bool:
        """Fisher's exact test, one-sided: more errors since the change than on the reference and before."""
        from scipy.stats import fisher_exact

        since, before = self._errors[change:], [*self._reference, *self._errors[:change]]
        if len(since) < _LEAST or not before:
            return False
        table = [[sum(since), len(since) - sum(since)], [sum(before), len(before) - sum(before)]]
        return float(fisher_exact(table, alternative="greater").pvalue) < _ALPHA


def by_content(x: NDArray[np.float32], y: NDArray[np.int64] | None = None) -> NDArray[np.intp]:
    """`(n,)` an order of examples that looks random and does not hang on the one they come in.

    Files are often sorted by class; ADWIN would take one class after another for a change.

    Args:
        x: `(n, ...)`.
        y: `(n,)` answers, which tell equal inputs apart.
    """
    keys = []
    for row, example in enumerate(x):
        content = hashlib.blake2b(np.ascontiguousarray(example).data.cast("B"), digest_size=16)
        if y is not None:
            content.update(int(y[row]).to_bytes(8, "little", signed=True))
        keys.append(content.digest())
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.intp)


def _log_likelihood(wrong: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of so many errors at their own rate, element by element."""
    from scipy.special import xlogy

    return np.asarray(xlogy(wrong, wrong / count) + xlogy(count - wrong, 1 - wrong / count), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class InputProfile:
    """What a task's training inputs are like.

    Attributes:
        mean: `(d,)`.
        directions: `(k, d)` orthonormal, of greatest variance.
    """

    mean: NDArray[np.float64]
    directions: NDArray[np.float64]

    @staticmethod
    def of(x: NDArray[np.float32]) -> InputProfile:
        """Of `(n, channels, *size)` inputs; of more than a thousand, of those that their content chooses."""
        chosen = x if len(x) <= _MAX_EXAMPLES else x[by_content(x)[:_MAX_EXAMPLES]]
        flat = chosen.reshape(len(chosen), -1).astype(np.float64)
        mean = flat.mean(axis=0)
        directions = np.linalg.svd(flat - mean, full_matrices=False)[2][:_DIRECTIONS]
        return InputProfile(mean, directions)

    def residuals(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """`(n,)` share of each input's squared distance from the mean outside the directions, in [0, 1], six digits."""
        flat = x.reshape(len(x), -1).astype(np.float64) - self.mean
        whole = (flat**2).sum(axis=1)
        inside = ((flat @ self.directions.T) ** 2).sum(axis=1)
        share = 1 - inside / np.where(whole > 0, whole, 1.0)
        return np.asarray(np.clip(np.where(whole > 0, share, 0.0), 0.0, 1.0).round(6), dtype=np.float64)
