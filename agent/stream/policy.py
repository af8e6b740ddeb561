"""The search policy: everything about its own search that the agent may change, and nothing else.

Out of its reach, because not in it: the constraint set, the audit suite and its thresholds, the budget ceiling, the
ledger. Rates are whole per cent so that rules of scope `policy` can be checked exactly.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from selfnas.acquisition.expression import spelled
from selfnas.acquisition.parser import parse_program
from selfnas.documents import StrictModel

__all__ = ["OWN_PROXIES", "SearchPolicy"]

OWN_PROXIES = ("synflow", "naswot", "grad_norm", "params", "macs", "learned")

_PUBLISHED = 3
Percent = Annotated[int, Field(ge=0, le=100)]


def _canonical(text: str) -> str:
    """One spelling of a program."""
    return spelled(parse_program(text))


class SearchPolicy(StrictModel):
    """One way of searching.

    Attributes:
        strategy: name of a strategy (`selfnas.strategies`), or of one of a plug-in.
        population: how many of the latest trials regularised evolution keeps; 20 does best at 100 evaluations.
        sample: how many of them compete to be a parent.
        crossover_percent: how often a child has two parents.
        implant_percent: how often evolution lays a mined sub-cell into a child instead of an edit.
        batch: candidates trained between two looks at the results.
        oversample: candidates certified and scored by proxy for each one trained; 1 switches the proxy off.
        proxy: the score without training that picks among them, our own or of a plug-in; `learned` combines all of our
            own by what trials showed.
        recall: how many remembered architectures start the search on a task: winners of like tasks, then the best that
            like tasks scored where they have no winner.
        published: with fewer remembered than this, published cells of the space (`selfnas.spaces.published`) fill the
            places; three where it is left out, and never in a table or under a guided strategy.
        recall_trust_percent: how alike a past task must be, at least, for its winners to be recalled.
        progressive: trials in a row without improvement before one operation more is let into the space, which then
            starts with two; 0 searches the whole space from the start.
        finalists_per_task: how many of the best are trained fully and audited.
        acquisition: a program by which strategies `surrogate` and `transfer` order candidates; where it is left out, by
            expected improvement.
    """

    strategy: str = "regularised_evolution"
    population: int = Field(default=20, ge=2, le=10_000)
    sample: int = Field(default=10, ge=1, le=10_000)
    crossover_percent: Percent = 0
    implant_percent: Percent = 0
    batch: int = Field(default=4, ge=1, le=1000)
    oversample: int = Field(default=2, ge=1, le=100)
    proxy: Annotated[str, WithJsonSchema({"anyOf": [{"enum": [*OWN_PROXIES]}, {"type": "string"}]})] = (
        "naswot"  # `read_stream` says what is unknown, as for strategies
    )
    recall: int = Field(default=3, ge=0, le=1000)
    published: int | None = Field(default=None, ge=0, le=1000)
    recall_trust_percent: Percent = 30
    progressive: int = Field(default=0, ge=0, le=1_000_000)
    finalists_per_task: int = Field(default=2, ge=1, le=1000)
    acquisition: Annotated[str, AfterValidator(_canonical)] | None = None

    @model_validator(mode="after")
    def _sample_within_population(self) -> SearchPolicy:
        if self.sample > self.population:
            raise ValueError(f"sample {self.sample} is larger than population {self.population}")
        return self

    @property
    def published_first(self) -> int:
        """How many published cells start a search for which nothing is remembered."""
        return _PUBLISHED if self.published is None else self.published

    def record(self) -> dict[str, Any]:
        """As events and certificates hold it; what is left out stays out."""
        return self.model_dump(mode="json", exclude_none=True)

    def strategy_settings(self) -> dict[str, int | str]:
        """The settings that strategies read; each takes its own."""
        settings: dict[str, int | str] = {
            "population": self.population,
            "sample": self.sample,
            "crossover_percent": self.crossover_percent,
            "implant_percent": self.implant_percent,
        }
        return settings if self.acquisition is None else settings | {"acquisition": self.acquisition}
