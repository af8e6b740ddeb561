"""Every strategy by name, and how settings reach it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from selfnas import plugins
from selfnas.errors import InputError, suggestion
from selfnas.plugins import ExtensionPoint
from selfnas.search.strategy import Strategy
from selfnas.strategies.adaptive_evolution import AdaptiveEvolution
from selfnas.strategies.evolution import RegularisedEvolution
from selfnas.strategies.local_search import LocalSearch
from selfnas.strategies.nsga2 import Nsga2
from selfnas.strategies.random_search import random_search
from selfnas.strategies.reinforce import Reinforce
from selfnas.strategies.surrogate import Surrogate
from selfnas.strategies.transfer import Transfer

__all__ = [
    "EXTENSION_POINT",
    "MOVED",
    "RELEASES",
    "STRATEGIES",
    "make_strategy",
    "settings_of",
    "strategy_names",
    "unknown_strategy",
]

# Strategies of ours once, which lives of then may name.
MOVED = {"ensemble": "selfnas-ensemble now, see experiments/ensemble-plugin"}

# Those that propose otherwise than they once did: how many ways there were, the present one included.
RELEASES: Mapping[str, int] = MappingProxyType({"transfer": 3})

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
        "transfer": Transfer,
    }
)


def strategy_names() -> tuple[str, ...]:
    """Our own strategies, and those of plug-ins in force."""
    return (*STRATEGIES, *plugins.names("strategies"))


def unknown_strategy(name: str, known: Sequence[str]) -> str:
    """That there is none of that name, and what would be right.

    Example:
        >>> unknown_strategy("ensemble", ["random"])
        "unknown strategy 'ensemble': it is a part of plug-in selfnas-ensemble now, see experiments/ensemble-plugin"
    """
    if name in MOVED:
        return f"unknown strategy {name!r}: it is a part of plug-in {MOVED[name]}"
    return f"unknown strategy {name!r}{suggestion(name, known)}"


def make_strategy(name: str, settings: Mapping[str, int | float | str] = MappingProxyType({})) -> Strategy:
    """A strategy with the settings that apply to it; settings of other strategies are passed over.

    So one policy can hold the settings of all strategies, whichever is chosen.

    Raises:
        InputError: unknown name, a setting that no strategy has, or an impossible value.

    Example:
        >>> make_strategy("local_search", {"starts": 3, "population": 30})
        LocalSearch(starts=3)
    """
    constructor = _constructor(name)
    every = sorted({setting for other in strategy_names() for setting in settings_of(other)})
    for setting in settings:
        if setting not in every:
            raise InputError(f"no strategy has the setting {setting!r}{suggestion(setting, every)}")
    own = settings_of(name)
    try:
        return constructor(**{key: value for key, value in settings.items() if key in own})
    except ValueError as error:
        raise InputError(f"strategy {name}: {error}") from error


def settings_of(name: str) -> dict[str, object]:
    """The settings of a strategy with their defaults."""
    constructor = _constructor(name)
    if not dataclasses.is_dataclass(constructor):
        return {}
    return {field.name: field.default for field in dataclasses.fields(constructor) if field.init}


def _constructor(name: str) -> Callable[..., Strategy]:
    found: Callable[..., Strategy] | None = STRATEGIES.get(name) or plugins.find("strategies", name)
    if found is None:
        raise InputError(unknown_strategy(name, sorted(strategy_names())))
    return found


def _accept(name: str, part: object, origin: str) -> object:
    """What makes a strategy by its defaults alone; nothing is proposed yet."""
    if not callable(part):
        raise ValueError(f"it is of type {type(part).__name__}")
    try:
        made = part()
    except Exception as error:  # code of others may raise anything
        raise ValueError(f"called without settings, it raises {type(error).__name__}: {error}") from error
    if not callable(made):
        raise ValueError(f"called without settings, it gives no strategy but {type(made).__name__}")
    return part


EXTENSION_POINT = ExtensionPoint(
    wanted="what makes a Strategy (selfnas.search.strategy), such as a frozen dataclass with defaults",
    own=STRATEGIES,
    accept=_accept,
    reserved=frozenset({"darts", "darts_second_order", "gdas", "one_shot"}),  # `guided.GUIDED`, which needs PyTorch
)
