"""An audit suite: which audits, in which role, with which thresholds and sample sizes; a YAML file with a digest."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from audits.catalogue.registry import audit_named, audit_names, find_audit
from audits.contract.finding import Role
from audits.contract.plants import Plants, PlantSpec
from audits.contract.reviewing import USUAL_TERMS, ReviewSpec, ReviewTerms, review_problems
from selfnas import plugins
from selfnas.documents import Document, PluginName, StrictModel, checked_text, parse_document, read_document
from selfnas.errors import InputError, Problem, suggestion
from selfnas.plugins import Plugin

__all__ = ["Suite", "SuiteEntry", "load_suite", "parse_suite", "shipped_suites"]

SHIPPED = Path(__file__).parents[1] / "suites"


class SuiteEntry(StrictModel):
    """One audit of a suite: its role, a threshold for each of its statistics, its settings."""

    audit: str
    role: Role
    thresholds: dict[str, float]
    settings: dict[str, float] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A checked suite; made by `load_suite` or `parse_suite`.

    Attributes:
        name: as its file calls it.
        approval: whether a person must approve a network before its motifs are reused.
        untested: whether audits that had nothing to test are allowed, or refuse every network.
        attempts: whether networks audited on one split are counted alone, or each further one must show more.
        review: how many persons must approve or overrule, and who counts.
        entries: in the file's order, one per audit.
        plants: nuisances and triggers of its own, by task.
        plugins: whose audits it uses; they must be in force while it is.
        file: where it was read from; beside it lies its calibration. Empty when it was read from a text.
        text: what was read, for the ledger.
    """

    name: str
    approval: Literal["none", "before-reuse"]
    untested: Literal["allowed", "refused"] = "allowed"
    attempts: Literal["counted", "paid"] = "counted"
    review: ReviewTerms = USUAL_TERMS
    entries: tuple[SuiteEntry, ...]
    plants: tuple[Plants, ...] = ()
    plugins: tuple[Plugin, ...] = ()
    file: str = field(default="", compare=False)
    text: str = field(default="", compare=False, repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 in hexadecimal of what the suite means: order, spelling of numbers and name do not enter.

        Of a plug-in's audits the content of the plug-in enters, for it decides what they measure.
        """
        meaning: dict[str, object] = {
            "approval": self.approval,
            "audits": {entry.audit: entry.model_dump(exclude={"audit"}) for entry in self.entries},
            "plants": {plants.task: plants.meaning() for plants in self.plants},
        }
        if self.untested != "allowed":
            meaning["untested"] = self.untested
        if self.attempts != "counted":
            meaning["attempts"] = self.attempts
        if self.review != USUAL_TERMS:
            meaning["review"] = self.review.meaning()
        if self.plugins:
            meaning["plugins"] = sorted(plugin.identity.origin for plugin in self.plugins)
        return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()

    def entry(self, audit: str) -> SuiteEntry | None:
        """The entry of that audit, None if the suite does not have it."""
        return next((entry for entry in self.entries if entry.audit == audit), None)

    def role(self, audit: str) -> Role | None:
        """What the suite uses that audit for, None if it does not have it."""
        entry = self.entry(audit)
        return entry.role if entry else None

    @property
    def gates(self) -> tuple[str, ...]:
        """Names of the audits that a network must pass."""
        return tuple(entry.audit for entry in self.entries if entry.role == "gate")

    @property
    def deciding(self) -> tuple[str, ...]:
        """Names of the audits that decide about admission: gates, and alarms that reject when they fail."""
        return tuple(entry.audit for entry in self.entries if entry.role in ("gate", "alarm"))


class _File(StrictModel):
    suite: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
    language: Literal[1]
    description: str = ""
    plugins: list[PluginName] = Field(default_factory=list, max_length=32)
    approval: Literal["none", "before-reuse"] = "none"
    untested: Literal["allowed", "refused"] = "allowed"
    attempts: Literal["counted", "paid"] = "counted"
    review: ReviewSpec | None = None
    audits: list[SuiteEntry]
    plants: list[PlantSpec] = Field(default_factory=list)


def load_suite(source: Path | str) -> Suite:
    """Read a suite from a file, or a shipped one by name.

    Raises:
        InputError: no such suite, or not a valid one; every problem with its place.
    """
    path = Path(source)
    if isinstance(source, str) and path.suffix not in (".yaml", ".yml") and len(path.parts) == 1:
        path = SHIPPED / f"{source}.yaml"
        if source not in shipped_suites():
            raise InputError(f"unknown audit suite {source!r}{suggestion(source, shipped_suites())}")
    return _suite(read_document(path, _File), file=str(path))


def parse_suite(text: str, *, name: str = "text") -> Suite:
    """Read a suite from the text of its file; `name` stands for the file in messages.

    Raises:
        InputError: not a valid suite; every problem with its place.

    Example:
        >>> shipped = load_suite("baseline")
        >>> parse_suite(shipped.text).digest == shipped.digest
        True
    """
    return _suite(parse_document(checked_text(text, name=name), _File, name=name), file="")


def shipped_suites() -> list[str]:
    """Names of the suites that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def _suite(document: Document[_File], *, file: str) -> Suite:
    """What a document says; raises what is wrong with it beyond its form."""
    loaded = plugins.load(
        document.value.plugins,
        ("audits",),
        user="suite",
        problem=lambda index, message: document.problem(("plugins", index), message),
    )
    with plugins.in_force(*loaded):
        if problems := list(_problems(document)):
            raise InputError(problems)
    return Suite(
        name=document.value.suite,
        approval=document.value.approval,
        untested=document.value.untested,
        attempts=document.value.attempts,
        review=USUAL_TERMS if document.value.review is None else document.value.review.terms(),
        entries=tuple(document.value.audits),
        plants=tuple(
            spec.plants(document.problem(("plants", index, "task"), ""))
            for index, spec in enumerate(document.value.plants)
        ),
        plugins=loaded,
        file=file,
        text=document.text,
    )


def _problems(document: Document[_File]) -> Iterator[Problem]:
    if document.value.review is not None:
        for at, message in review_problems(document.value.review, document.value.approval):
            yield document.problem(at, message)
    seen: set[str] = set()
    for index, entry in enumerate(document.value.audits):
        place = ("audits", index)
        audit = find_audit(entry.audit)
        if audit is None:
            yield document.problem(
                (*place, "audit"), f"unknown audit {entry.audit!r}{suggestion(entry.audit, audit_names())}"
            )
            continue
        if entry.audit in seen:
            yield document.problem((*place, "audit"), f"audit {entry.audit!r} appears twice")
        seen.add(entry.audit)
        if entry.role == "validity" and not audit.validates:
            yield document.problem(
                (*place, "role"),
                f"audit {entry.audit!r} tests no attribution method: its role is gate, alarm or advisory",
            )
        limits = {each.name: (each.low, each.high, False) for each in audit.statistics}
        yield from _number_problems(document, (*place, "thresholds"), entry.thresholds, limits)
        ranges = {each.name: (each.low, each.high, each.integer) for each in audit.settings}
        yield from _number_problems(document, (*place, "settings"), entry.settings, ranges, set(audit.filled({})))
    tested = {audit_named(name).validates for name in seen}
    for index, entry in enumerate(document.value.audits):
        relies_on = audit_named(entry.audit).relies_on if entry.audit in seen else ""
        if relies_on and relies_on not in tested and entry.role in ("gate", "alarm"):
            tests = [name for name in audit_names() if audit_named(name).validates == relies_on]
            yield document.problem(
                ("audits", index, "audit"),
                f"audit {entry.audit!r} relies on {relies_on}, which no audit here tests: add {' or '.join(tests)}",
            )
    tasks = [plants.task for plants in document.value.plants]
    for index, task in enumerate(tasks):
        if task in tasks[:index]:
            yield document.problem(("plants", index, "task"), f"task {task!r} appears twice")
    if not any(entry.role == "gate" for entry in document.value.audits):
        yield document.problem(("audits",), "no audit has the role gate: such a suite would admit everything")


def _number_problems(
    document: Document[_File],
    place: tuple[str, int, str],
    given: Mapping[str, float],
    wanted: Mapping[str, tuple[float, float, bool]],
    optional: Collection[str] = (),
) -> Iterator[Problem]:
    kind = place[-1].removesuffix("s")
    for name, value in given.items():
        at = (*place, name)
        if name not in wanted:
            yield document.problem(at, f"unknown {kind} {name!r}{suggestion(name, list(wanted))}")
            continue
        low, high, integer = wanted[name]
        if not (math.isfinite(value) and low <= value <= high) or (integer and value != int(value)):
            whole = "a whole number" if integer else "a number"
            yield document.problem(at, f"{name}: need {whole} in {low:g}..{high:g}, not {value:g}")
    for name in wanted:
        if name not in given and name not in optional:
            yield document.problem(place, f"missing {kind} {name!r}")
