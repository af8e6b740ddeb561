"""Search strategies: callables over the history of trials."""

from selfnas.search.strategy import Strategy
from selfnas.strategies.evolution import RegularisedEvolution
from selfnas.strategies.local_search import LocalSearch
from selfnas.strategies.random_search import random_search
from selfnas.strategies.table import STRATEGIES, make_strategy

__all__ = ["STRATEGIES", "LocalSearch", "RegularisedEvolution", "Strategy", "make_strategy", "random_search"]
