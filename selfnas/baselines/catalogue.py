"""The baselines that there are, and which of them suit a kind of task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from selfnas.baselines import estimators
from selfnas.baselines.baseline import Baseline, Floats, Form, Predict, Setting
from selfnas.baselines.rocket import FEWEST_FEATURES, most_series, rocket
from selfnas.baselines.warping import BAND, nearest_dtw
from selfnas.data.targets import InputKind, Target, Targets
from selfnas.errors import InputError, suggestion

__all__ = ["BASELINES", "JOINED", "TEACHERS", "baseline_named", "baseline_names", "baselines_for", "teachers_for"]

_ANY = frozenset[Form]({"classes", "labels", "numbers", "quantiles"})
_POINTS = _ANY - {"quantiles"}
_IMAGES, _SERIES = frozenset[InputKind]({"image"}), frozenset[InputKind]({"series"})
_TABLES, _TOKENS = frozenset[InputKind]({"table"}), frozenset[InputKind]({"tokens"})
_EVERY = _IMAGES | _SERIES | _TABLES | _TOKENS
_MOST_ROWS = 20_000
MOST_SEEN = 32_000  # examples that a reference network sees, at most


def _resnet(x: Floats, y: Targets, setting: Setting) -> Predict:
    from selfnas.baselines.reference import resnet  # loads PyTorch

    return resnet(x, y, setting)


def _inception(x: Floats, y: Targets, setting: Setting) -> Predict:
    from selfnas.baselines.reference import inception

    return inception(x, y, setting)


def _every_row(setting: Setting) -> int:
    return setting.rows


def _stepped(setting: Setting) -> int:
    """No more than a network sees in its steps, nor than 6 · 10^7 numbers, which are 240 MB."""
    return min(MOST_SEEN, int(6e7 / setting.values))


def _pairs(setting: Setting) -> int:
    """Distances to every asked example, each as long as an example: 3 · 10^11 multiplications at most."""
    return min(_MOST_ROWS, int(3e11 / (setting.asked * setting.values)))


def _linear(setting: Setting) -> int:
    return min(_MOST_ROWS, int(4e7 / (setting.values * setting.columns**0.5)))


def _bag(setting: Setting) -> int:
    """Only the vocabulary is looked at, not the places."""
    return min(_MOST_ROWS, int(2e7 / (setting.size[0] * setting.columns**0.5)))


def _trees(setting: Setting) -> int:
    """A hundred trees look at the root of all values of a row, and are deep where classes are hard to tell apart."""
    return min(_MOST_ROWS, int(1.7e5 / setting.values**0.5))


def _boosted(setting: Setting) -> int:
    """Every round looks at all values, and fits a tree for each output."""
    return min(_MOST_ROWS, int(2e7 / (setting.values * setting.columns)))


def _kernels(setting: Setting) -> int:
    """As many as the fewest features leave time for; the ridge grows with the cube of the rows."""
    return min(2_500, most_series(setting, FEWEST_FEATURES) - setting.asked)


def _warped(setting: Setting) -> int:
    """Steps of the recurrence over all pairs, at most 2 · 10^9, where a step on few pairs takes as long as on 5,000."""
    length = setting.size[-1]
    cells = length * (2 * max(1, round(BAND * length)) + 1) * setting.size[0]
    return int((2e9 / cells - 5_000) / setting.asked)


BASELINES: Sequence[Baseline] = (
    Baseline(
        name="constant", title="constant", inputs=_EVERY, forms=_ANY,
        fit=estimators.constant, limit=_every_row,
        blind=True,
    ),
    Baseline(
        name="nearest", title="nearest neighbour", inputs=_EVERY, forms=_POINTS, fit=estimators.nearest, limit=_pairs,
    ),
    Baseline(
        name="nearest_dtw", title="nearest by warping", inputs=_SERIES, forms=_POINTS, fit=nearest_dtw, limit=_warped,
    ),
    Baseline(
        name="linear", title="linear model", inputs=_IMAGES | _TABLES | _TOKENS, forms=_POINTS, fit=estimators.LINEAR,
        limit=_linear,
    ),
    Baseline(
        name="bag", title="bag of tokens", inputs=_TOKENS, forms=_POINTS, fit=estimators.bag, limit=_bag,
    ),
    Baseline(
        name="forest", title="random forest", inputs=_IMAGES | _TABLES | _TOKENS, forms=_POINTS, fit=estimators.FOREST,
        limit=_trees,
    ),
    Baseline(
        name="boosting", title="gradient boosting", inputs=_TABLES, forms=_ANY, fit=estimators.BOOSTING,
        limit=_boosted,
    ),
    Baseline(name="rocket", title="MiniRocket-like", inputs=_SERIES, forms=_POINTS, fit=rocket, limit=_kernels),
    Baseline(
        name="resnet", title="reference ResNet", inputs=_IMAGES | _SERIES, forms=_ANY, fit=_resnet, limit=_stepped,
    ),
    Baseline(
        name="inception", title="InceptionTime-like", inputs=_SERIES, forms=_ANY, fit=_inception, limit=_stepped,
        usual=False,
    ),
)  # fmt: skip


# By kind of example which may teach networks, see `selfnas.baselines.distillation`.
TEACHERS: Mapping[InputKind, tuple[str, ...]] = {"table": ("linear", "forest", "boosting"), "series": ("rocket",)}
JOINED = "+"  # between the names of several that teach together
_TAUGHT = frozenset({"classification", "multilabel", "regression"})


def baseline_named(name: str) -> Baseline:
    """The baseline of that name.

    Raises:
        InputError: there is none.
    """
    for baseline in BASELINES:
        if baseline.name == name:
            return baseline
    raise InputError(f"unknown baseline {name!r}{suggestion(name, baseline_names())}")


def baseline_names() -> tuple[str, ...]:
    """Of all baselines."""
    return tuple(baseline.name for baseline in BASELINES)


def baselines_for(inputs: InputKind, target: Target, wanted: Sequence[str] | None = None) -> tuple[str, ...]:
    """Names of the baselines of a kind of task, in the order of the catalogue.

    Args:
        inputs: kind of the examples.
        target: what is asked for.
        wanted: names to choose from, with `constant`, which is always there; None takes the usual ones.

    Example:
        >>> baselines_for("image", Target.of_classes(10))
        ('constant', 'nearest', 'linear', 'forest', 'resnet')
    """
    chosen = {one.name for one in BASELINES if one.usual} if wanted is None else {"constant", *wanted}
    return tuple(one.name for one in BASELINES if one.name in chosen and one.suits(inputs, target))


def teachers_for(inputs: InputKind, target: Target) -> tuple[str, ...]:
    """Names of the baselines that may teach networks of a kind of task.

    Ordered classes and quantiles nobody teaches, nor numbers of series: what kernels answer to a series that was warped
    may lie far from all that were measured (R² of `tecator` fell from 0.95 to 0.55).

    Example:
        >>> teachers_for("series", Target.of_classes(10)), teachers_for("image", Target.of_classes(10))
        (('rocket',), ())
    """
    if target.kind not in _TAUGHT or target.quantiles or (inputs == "series" and target.kind == "regression"):
        return ()
    return tuple(name for name in TEACHERS.get(inputs, ()) if baseline_named(name).suits(inputs, target))
