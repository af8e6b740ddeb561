"""Architectures, spaces, networks, tasks, training, strategies; knows nothing of rules, audits or the agent.

Names load on first use, so that `import selfnas` stays quick.
"""

from typing import TYPE_CHECKING

from selfnas.lazy import loading

if TYPE_CHECKING:
    from selfnas.data.tasks import Nuisance, Split, Task, TaskSpec, load_task
    from selfnas.devices.devices import Device, load_device, shipped_devices
    from selfnas.devices.roofline import Estimate, estimate
    from selfnas.errors import ArchitectureError, InputError, SelfnasError, ShapeError
    from selfnas.networks.costs import Costs, costs
    from selfnas.networks.network import Network, build_network, parameter_count
    from selfnas.search.domain import Domain
    from selfnas.search.history import Trial
    from selfnas.search.strategy import Strategy
    from selfnas.search.subcells import SubCell
    from selfnas.spaces.architecture import Architecture, Macro, Space, TaskShape
    from selfnas.spaces.cell import Cell, Edge
    from selfnas.spaces.named import SPACES, in_force, parse_architecture, space_named
    from selfnas.spaces.operation import Operation
    from selfnas.spaces.template import CellTemplate
    from selfnas.strategies.table import STRATEGIES, make_strategy
    from selfnas.tables.tabular import TabularBenchmark, TabularEvaluator, read_benchmark, synthetic_benchmark
    from selfnas.training.evaluation import Fidelity
    from selfnas.training.training import Examples, TrainingPlan, train

__all__ = [
    "SPACES",
    "STRATEGIES",
    "Architecture",
    "ArchitectureError",
    "Cell",
    "CellTemplate",
    "Costs",
    "Device",
    "Domain",
    "Edge",
    "Estimate",
    "Examples",
    "Fidelity",
    "InputError",
    "Macro",
    "Network",
    "Nuisance",
    "Operation",
    "SelfnasError",
    "ShapeError",
    "Space",
    "Split",
    "Strategy",
    "SubCell",
    "TabularBenchmark",
    "TabularEvaluator",
    "Task",
    "TaskShape",
    "TaskSpec",
    "TrainingPlan",
    "Trial",
    "build_network",
    "costs",
    "estimate",
    "in_force",
    "load_device",
    "load_task",
    "make_strategy",
    "parameter_count",
    "parse_architecture",
    "read_benchmark",
    "shipped_devices",
    "space_named",
    "synthetic_benchmark",
    "train",
]

__getattr__, __dir__ = loading(
    __name__,
    {
        "data.tasks": ("Nuisance", "Split", "Task", "TaskSpec", "load_task"),
        "devices.devices": ("Device", "load_device", "shipped_devices"),
        "devices.roofline": ("Estimate", "estimate"),
        "errors": ("ArchitectureError", "InputError", "SelfnasError", "ShapeError"),
        "networks.costs": ("Costs", "costs"),
        "networks.network": ("Network", "build_network", "parameter_count"),
        "search.domain": ("Domain",),
        "search.history": ("Trial",),
        "search.strategy": ("Strategy",),
        "search.subcells": ("SubCell",),
        "spaces.architecture": ("Architecture", "Macro", "Space", "TaskShape"),
        "spaces.cell": ("Cell", "Edge"),
        "spaces.named": ("SPACES", "in_force", "parse_architecture", "space_named"),
        "spaces.operation": ("Operation",),
        "spaces.template": ("CellTemplate",),
        "strategies.table": ("STRATEGIES", "make_strategy"),
        "tables.tabular": ("TabularBenchmark", "TabularEvaluator", "read_benchmark", "synthetic_benchmark"),
        "training.evaluation": ("Fidelity",),
        "training.training": ("Examples", "TrainingPlan", "train"),
    },
)
