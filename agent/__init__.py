"""The life of the agent: ledger, library, policy, gate, workers, tracking, Python API and the command line.

Names load on first use, so that `import agent` stays quick.
"""

from typing import TYPE_CHECKING

from selfnas.lazy import loading

if TYPE_CHECKING:
    from agent.api.life import Life, open_life
    from agent.api.running import Begun, RunObserver, continue_task, run
    from agent.api.streams import Stream
    from agent.life.observer import Observer, Unobserved
    from agent.stream.fidelities import HalvingSection
    from agent.stream.file import (
        BudgetSection,
        MacroSection,
        SupernetSection,
        TuningSection,
    )
    from agent.stream.objective import ObjectiveSection
    from agent.stream.policy import SearchPolicy
    from agent.stream.shipped import shipped_streams
    from agent.stream.training import CrossValidationSection, FidelitySection, SlotsSection, TrainingSection
    from agent.verify.verification import Verification

__all__ = [
    "Begun",
    "BudgetSection",
    "CrossValidationSection",
    "FidelitySection",
    "HalvingSection",
    "Life",
    "MacroSection",
    "ObjectiveSection",
    "Observer",
    "RunObserver",
    "SearchPolicy",
    "SlotsSection",
    "Stream",
    "SupernetSection",
    "TrainingSection",
    "TuningSection",
    "Unobserved",
    "Verification",
    "continue_task",
    "open_life",
    "run",
    "shipped_streams",
]

__getattr__, __dir__ = loading(
    __name__,
    {
        "api.life": ("Life", "open_life"),
        "api.running": ("Begun", "RunObserver", "continue_task", "run"),
        "api.streams": ("Stream",),
        "life.observer": ("Observer", "Unobserved"),
        "stream.fidelities": ("HalvingSection",),
        "stream.file": (
            "BudgetSection",
            "MacroSection",
            "SupernetSection",
            "TuningSection",
        ),
        "stream.objective": ("ObjectiveSection",),
        "stream.policy": ("SearchPolicy",),
        "stream.shipped": ("shipped_streams",),
        "stream.training": ("CrossValidationSection", "FidelitySection", "SlotsSection", "TrainingSection"),
        "verify.verification": ("Verification",),
    },
)
