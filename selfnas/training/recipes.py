"""Recipes: what is done to training examples and weights beside the optimiser's steps, as plain values by name.

Each number of a recipe is one slot; 0 leaves its part out. So a recipe can be stated in a stream, recorded, searched.
`chosen_recipe` says which one a task gets that states none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from selfnas.data.targets import InputKind

__all__ = ["PLAIN", "RECIPES", "SLOTS", "Recipe", "chosen_recipe", "recipe_for"]

_SMALL = 2_000  # training examples below which the strong recipe is chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is done beside the optimiser's steps. Methods and sources: `selfnas.training.augmentation`.

    Attributes:
        shift: of images: moved by at most this share of a side, edges repeated.
        zoom: of images: enlarged or reduced by at most this share.
        turn: of images: turned by at most so many degrees.
        flip: of images: share that is mirrored left to right; only where that does not change what is asked.
        cutout: of images: side of the square that is blanked, as a share of the image's.
        jitter: of series: standard deviation of added noise.
        scaling: of series: standard deviation of the factor by which each channel is multiplied.
        crop: of series: share of the length that a window may lack, which is then stretched to the whole length.
        warp: of series: standard deviation of the logarithm of the speed at which time runs.
        noise: of tables: standard deviation of added noise.
        swap: of tables: share of the features that are taken from another row.
        mixup: both parameters of the Beta distribution that two examples are mixed by.
        average: weights are averaged over about this share of the steps.
        distil: of small tables and series: share of each batch of a full training that has a teacher's answers, where
            held-out answers are better with a teacher than without; see `selfnas.baselines.distillation`.
    """

    name: str
    shift: float = 0.0
    zoom: float = 0.0
    turn: float = 0.0
    flip: float = 0.0
    cutout: float = 0.0
    jitter: float = 0.0
    scaling: float = 0.0
    crop: float = 0.0
    warp: float = 0.0
    noise: float = 0.0
    swap: float = 0.0
    mixup: float = 0.0
    average: float = 0.0
    distil: float = 0.0

    def __post_init__(self) -> None:
        for slot, most in SLOTS.items():
            if not 0 <= getattr(self, slot) <= most:
                raise ValueError(f"{slot} of a recipe lies between 0 and {most:g}, not {getattr(self, slot)}")

    @property
    def vector(self) -> tuple[float, ...]:
        """Its slots, in the order of `SLOTS`."""
        return tuple(getattr(self, slot) for slot in SLOTS)


# The most that each slot can be.
SLOTS: Mapping[str, float] = {
    "shift": 0.5, "zoom": 0.5, "turn": 180.0, "flip": 1.0, "cutout": 0.9, "jitter": 1.0, "scaling": 1.0, "crop": 0.9,
    "warp": 1.0, "noise": 1.0, "swap": 0.9, "mixup": 4.0, "average": 0.5, "distil": 0.9,
}  # fmt: skip

PLAIN = Recipe(name="plain")
_LIGHT = Recipe(
    name="light", shift=0.1, zoom=0.1, turn=5.0, jitter=0.03, scaling=0.1, crop=0.1, warp=0.1, average=0.05, distil=0.5,
)  # fmt: skip
_STRONG = Recipe(
    name="strong", shift=0.15, zoom=0.15, turn=10.0, jitter=0.05, scaling=0.2, crop=0.2, warp=0.2, noise=0.05,
    mixup=0.2, average=0.05, distil=0.5,
)  # fmt: skip
RECIPES: Mapping[str, Recipe] = {recipe.name: recipe for recipe in (PLAIN, _LIGHT, _STRONG)}


def chosen_recipe(inputs: InputKind, examples: int, *, numbers: bool = False) -> Recipe:
    """The recipe of a task that states none, by what an example is, what is asked and how many there are to train on.

    Args:
        inputs: what an example is.
        examples: to train on.
        numbers: whether numbers are asked for. Those of an image or a series often are its size, place, pace or
            strength, which the strong recipe changes; time and scale of a series are left as they are.

    Example:
        >>> chosen_recipe("image", 200).name, chosen_recipe("image", 50_000).name, chosen_recipe("tokens", 200).name
        ('strong', 'light', 'light')
        >>> chosen_recipe("series", 200).warp, chosen_recipe("series", 200, numbers=True).warp
        (0.2, 0.0)
    """
    if inputs == "tokens":
        return _LIGHT
    if numbers and inputs != "table":
        return replace(_LIGHT, scaling=0.0, crop=0.0, warp=0.0)
    return _STRONG if examples < _SMALL else _LIGHT


def recipe_for(
    name: str, inputs: InputKind, examples: int, stated: Mapping[str, float], *, numbers: bool = False
) -> Recipe:
    """A recipe by name, or `auto`, with what is stated of its slots in place of its own; see `chosen_recipe`.

    Raises:
        KeyError: no recipe has that name.
        ValueError: a slot that there is not, or beyond its limits.
    """
    found = chosen_recipe(inputs, examples, numbers=numbers) if name == "auto" else RECIPES[name]
    unknown = set(stated) - set(SLOTS)
    if unknown:
        raise ValueError(f"a recipe has no slot {sorted(unknown)[0]!r}")
    return Recipe(name=found.name, **{slot: stated.get(slot, getattr(found, slot)) for slot in SLOTS})


assert {field.name for field in fields(Recipe)} == {"name", *SLOTS}  # noqa: S101 - the table is complete
