"""Every strategy by name, and how settings reach it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType

from selfnas.errors import InputError, suggestion
from selfnas.search.strategy import Strategy
from selfnas.strategies.adaptive_evolution import AdaptiveEvolution
from selfnas.strategies.ensemble import Ensemble
from selfnas.strategies.evolution import RegularisedEvolution
from selfnas.strategies.local_search import LocalSearch
from selfnas.strategies.nsga2 import Nsga2
from selfnas.strategies.random_search import random_search
from selfnas.strategies.reinforce import Reinforce
from selfnas.strategies.surrogate import Surrogate
from selfnas.strategies.transfer import Transfer

__all__ = ["STRATEGIES", "make_strategy", "settings_of"]

# To add a strategy: a frozen dataclass with defaults that is callable as `Strategy`, and its line here.
STRATEGIES: Mapping[str, Callable[..., Strategy]] = MappingProxyType(
    {
        "random": lambda: random_search,
        "local_search": LocalSearch,
        "regularised_evolution": RegularisedEvolution,
        "adaptive_evolution": AdaptiveEvolution,
        "nsga2": Nsga2,
        "reinforce": Reinforce,
        "surrogate": Surrogate,
        "ensemble": Ensemble,
        "transfer": Transfer,
    }
)


def make_strategy(name: str, settings: Mapping[str, int | float] = MappingProxyType({})) -> Strategy:
    """A strategy with the settings that apply to it; settings of other strategies are passed over.

    So one policy can hold the settings of all strategies, whichever is chosen.

    Raises:
        InputError: unknown name, a setting that no strategy has, or an impossible value.

    Example:
        >>> make_strategy("local_search", {"starts": 3, "population": 30})
        LocalSearch(starts=3)
    """
    if name not in STRATEGIES:
        raise InputError(f"unknown strategy {name!r}{suggestion(name, sorted(STRATEGIES))}")
    every = sorted({setting for other in STRATEGIES for setting in settings_of(other)})
    for setting in settings:
        if setting not in every:
            raise InputError(f"no strategy has the setting {setting!r}{suggestion(setting, every)}")
    own = settings_of(name)
    try:
        return STRATEGIES[name](**{key: value for key, value in settings.items() if key in own})
    except ValueError as error:
        raise InputError(f"strategy {name}: {error}") from error


def settings_of(name: str) -> dict[str, object]:
    """The settings of a strategy with their defaults."""
    constructor = STRATEGIES[name]
    if not dataclasses.is_dataclass(constructor):
        return {}
    return {field.name: field.default for field in dataclasses.fields(constructor) if field.init}
