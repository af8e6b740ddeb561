"""What every operation, space, strategy and evaluator promises, as plain checks that the tests of a plug-in call."""

from selfnas.testing.evaluators import check_evaluator
from selfnas.testing.operations import check_operation
from selfnas.testing.spaces import check_space
from selfnas.testing.strategies import check_strategy

__all__ = ["check_evaluator", "check_operation", "check_space", "check_strategy"]
