"""Baselines of scikit-learn: each sees an example as one flat row of numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from selfnas import seeding
from selfnas.baselines.baseline import Floats, Form, Predict, Scores, Setting
from selfnas.data.targets import Targets

__all__ = ["BOOSTING", "FOREST", "LINEAR", "bag", "constant", "flat", "ideal", "nearest"]

Estimator: TypeAlias = Any  # of scikit-learn, which has no types
Column: TypeAlias = NDArray[np.int64] | NDArray[np.float32]  # (n,)

_TREES = 100
_MEGABYTES = 64  # for distances
_ROUNDS = 100
_PENALTIES = (1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3)


def constant(x: Floats, y: Targets, setting: Setting) -> Predict:
    """Shares of the classes, of each label, the mean, or the quantiles: what is known without looking."""
    quantiles = setting.target.quantiles
    told = np.quantile(y, quantiles, axis=0)[:, 0] if quantiles else ideal(y, setting).mean(axis=0)
    return lambda rows: np.tile(told.astype(np.float64), (len(rows), 1))


def nearest(x: Floats, y: Targets, setting: Setting) -> Predict:
    """What the nearest example has, by Euclidean distance."""
    from sklearn import config_context
    from sklearn.neighbors import NearestNeighbors

    told = ideal(y, setting)
    found = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(flat(x))

    def predict(rows: Floats) -> Scores:
        with config_context(working_memory=_MEGABYTES):
            near: Scores = told[found.kneighbors(flat(rows), return_distance=False)[:, 0]]
        return near

    return predict


def bag(x: Floats, y: Targets, setting: Setting) -> Predict:
    """A linear model of how often each token is there, wherever it stands."""

    def counts(rows: Floats) -> Floats:
        found: Floats = np.log1p(rows.sum(axis=-1))
        return found

    predict = LINEAR(counts(x), y, setting)
    return lambda rows: predict(counts(rows))


def flat(x: Floats) -> Floats:
    """`(n, values)`, one row of numbers for each example."""
    return x.reshape(len(x), -1)


def ideal(y: Targets, setting: Setting) -> Scores:
    """`(n, columns)` what a prediction would be that is right about each row."""
    return np.eye(setting.columns)[y.astype(np.int64)] if setting.target.counted else y.astype(np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Models:
    """A kind of model: how one is made for classes, for a number, and for a quantile of it, each from a seed.

    Attributes:
        scaled: whether inputs are brought to mean 0 and standard deviation 1 first.
    """

    classes: Callable[[int], Estimator]
    number: Callable[[int], Estimator]
    quantile: Callable[[int, float], Estimator] | None = None
    scaled: bool = False

    def __call__(self, x: Floats, y: Targets, setting: Setting) -> Predict:
        """Fit; sums are taken in one order, whatever the machine."""
        from threadpoolctl import threadpool_limits

        rows = flat(x)
        centre, spread = (rows.mean(axis=0), rows.std(axis=0)) if self.scaled else (np.zeros(1), np.ones(1))
        centre, spread = centre.astype(np.float32), np.where(spread > 1e-6, spread, 1).astype(np.float32)
        with threadpool_limits(1):
            predict = _FITTING[setting.form](self, (rows - centre) / spread, y, setting)

        def scores(x: Floats) -> Scores:
            with threadpool_limits(1):
                return predict((flat(x) - centre) / spread)

        return scores


def _fit_classes(models: _Models, x: Floats, y: Targets, setting: Setting) -> Predict:
    """A score for each class; one that is in no row has 0."""
    return _fit_column(models, x, y.astype(np.int64), setting.columns, _seed(setting))


def _fit_labels(models: _Models, x: Floats, y: Targets, setting: Setting) -> Predict:
    """A model for each label, of whether it is there."""
    fitted = [
        _fit_column(models, x, column.astype(np.int64), 2, _seed(setting, label)) for label, column in enumerate(y.T)
    ]
    return lambda rows: np.stack([predict(rows)[:, 1] for predict in fitted], axis=1)


def _fit_column(models: _Models, x: Floats, y: NDArray[np.int64], classes: int, seed: int) -> Predict:
    """Of one column of classes; where all rows are of one class nothing is fitted."""
    present = np.unique(y)
    model = models.classes(seed).fit(x, y) if len(present) > 1 else None

    def scores(rows: Floats) -> Scores:
        found = np.zeros((len(rows), classes))
        found[:, present] = 1.0 if model is None else model.predict_proba(rows)
        return found

    return scores


def _fit_numbers(models: _Models, x: Floats, y: Targets, setting: Setting) -> Predict:
    """A model for each number."""
    return _columns([models.number(_seed(setting, number)).fit(x, column) for number, column in enumerate(y.T)])


def _fit_quantiles(models: _Models, x: Floats, y: Targets, setting: Setting) -> Predict:
    """A model for each quantile of the one number."""
    if models.quantile is None:
        raise ValueError("this model has no quantiles")
    made = [models.quantile(_seed(setting, place), at) for place, at in enumerate(setting.target.quantiles)]
    return _columns([model.fit(x, y[:, 0]) for model in made])


def _columns(fitted: list[Estimator]) -> Predict:
    return lambda rows: np.stack([model.predict(rows) for model in fitted], axis=1).astype(np.float64)


def _seed(setting: Setting, column: int = 0) -> int:
    return seeding.derive(setting.seed, "estimator", column) % 2**32


def _linear_classes(seed: int) -> Estimator:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=500, random_state=seed)


def _linear_number(seed: int) -> Estimator:
    from sklearn.linear_model import RidgeCV

    return RidgeCV(alphas=_PENALTIES)


def _forest_classes(seed: int) -> Estimator:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(_TREES, random_state=seed, n_jobs=1)


def _forest_number(seed: int) -> Estimator:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(_TREES, max_features=1 / 3, random_state=seed, n_jobs=1)


def _boosting_classes(seed: int) -> Estimator:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=_ROUNDS, random_state=seed)


def _boosting_number(seed: int) -> Estimator:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(max_iter=_ROUNDS, random_state=seed)


def _boosting_quantile(seed: int, quantile: float) -> Estimator:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(loss="quantile", quantile=quantile, max_iter=_ROUNDS, random_state=seed)


_FITTING: Mapping[Form, Callable[[_Models, Floats, Targets, Setting], Predict]] = {
    "classes": _fit_classes, "labels": _fit_labels, "numbers": _fit_numbers, "quantiles": _fit_quantiles,
}  # fmt: skip

# Logistic regression; for numbers ridge regression whose penalty leave-one-out chooses.
LINEAR = _Models(classes=_linear_classes, number=_linear_number, scaled=True)
# Breiman 2001 (Machine Learning 45); for numbers a third of the inputs at each split, as there.
FOREST = _Models(classes=_forest_classes, number=_forest_number)
# Trees on histograms: Ke et al. 2017 (NeurIPS), as scikit-learn has them.
BOOSTING = _Models(classes=_boosting_classes, number=_boosting_number, quantile=_boosting_quantile)
