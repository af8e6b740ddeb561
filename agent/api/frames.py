"""What a life holds as tables of pandas: one row for each thing, documented columns, fixed types.

A column of whole numbers that may be missing is `Int64`; other numbers that may be missing are NaN. Digests are whole,
so that rows of one table are found in another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from agent.gate.admission import findings_of
from agent.gate.counting import approved, terms_in_force
from agent.gate.review import finalists
from agent.ledger.events import UNSET
from agent.ledger.store import Ledger
from agent.report.robustness import held
from agent.report.shortfall import shortfall
from agent.report.summary import summarise
from agent.state.state import Finalist, LifeState

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AUDITS", "EVENTS", "MOTIFS", "TASKS", "TRIALS", "audits", "events", "motifs", "tasks", "trials"]

# By column, as pandas names the type.
TASKS: Mapping[str, str] = {
    "run": "int64", "task": "str", "stream": "str", "space": "str", "metric": "str", "finished": "bool",
    "evaluations": "int64", "failed": "int64", "evaluations_to_best": "int64", "full_trainings": "int64",
    "admitted": "int64", "winner": "str", "validation": "float64", "test": "float64", "test_low": "float64",
    "test_high": "float64", "params": "Int64", "reference_test": "float64", "reference_params": "Int64",
    "baseline": "str", "baseline_test": "float64", "gain": "float64", "gain_low": "float64", "gain_high": "float64",
    "closest": "str", "closest_validation": "float64", "closest_test": "float64", "missed": "str",
    "would_decide": "str", "attacked": "float64", "proved": "float64",
}  # fmt: skip
TRIALS: Mapping[str, str] = {
    "run": "int64", "task": "str", "number": "int64", "architecture": "str", "digest": "str", "origin": "str",
    "fidelity": "str", "epochs": "int64", "score": "float64", "worth": "float64", "proxy": "float64", "reason": "str",
}  # fmt: skip
MOTIFS: Mapping[str, str] = {
    "event": "int64", "run": "int64", "task": "str", "architecture": "str", "digest": "str", "validation": "float64",
    "test": "float64", "metric": "str", "params": "int64", "review": "str", "quarantined": "bool",
    "weights_sha256": "str",
}  # fmt: skip
AUDITS: Mapping[str, str] = {
    "run": "int64", "task": "str", "digest": "str", "standing": "str", "audit": "str", "subject": "str",
    "statistic": "str", "estimate": "float64", "low": "float64", "high": "float64", "n": "int64",
    "threshold": "float64", "decision": "str", "role": "str", "note": "str",
}  # fmt: skip
EVENTS: Mapping[str, str] = {
    "event": "int64", "time": "datetime64[ns, UTC]", "kind": "str", "facts": "str", "previous": "str", "hash": "str",
}  # fmt: skip


def tasks(state: LifeState) -> pd.DataFrame:
    """One row for each task of each run."""

    def rows() -> Iterable[dict[str, object]]:
        for run in state.runs:
            for task in run.tasks:
                found = summarise(task)
                best = next(iter(task.admitted()), None)
                low, high = found.test.interval if found.test else (None, None)
                short = shortfall(task)
                near = short.best if short else None
                yield {
                    "run": run.number,
                    "task": task.name,
                    "stream": run.started.record.stream,
                    "space": run.started.record.space_of(task.started),
                    "metric": found.metric,
                    "finished": task.finished is not None,
                    "evaluations": found.evaluations,
                    "failed": found.failed,
                    "evaluations_to_best": found.evaluations_to_best,
                    "full_trainings": found.full_trainings,
                    "admitted": found.admitted,
                    "winner": best.digest if best else None,
                    "validation": found.validation,
                    "test": found.test.estimate if found.test else None,
                    "test_low": low,
                    "test_high": high,
                    "params": found.params,
                    "reference_test": found.reference_test.estimate if found.reference_test else None,
                    "reference_params": found.reference_params,
                    **(found.rival.figures if found.rival else {}),
                    "closest": near.digest if near else None,
                    "closest_validation": near.validation if near else None,
                    "closest_test": near.test.estimate if near and near.test else None,
                    **(short.words if short else {}),
                    **_robust(best),
                }

    return _frame(rows(), TASKS)


def _robust(winner: Finalist | None) -> dict[str, float]:
    """Shares of test examples that withstand attacks and that are proved; nothing of networks that are not hardened."""
    if winner is None or winner.trained.robust is UNSET:
        return {}
    return {name: share.estimate for name, share in held(winner.trained.robust).items() if name != "clean"}


def trials(state: LifeState) -> pd.DataFrame:
    """One row for each evaluation, in order, and a column for each cost that an objective names."""
    costs: dict[str, str] = {}

    def rows() -> Iterable[dict[str, object]]:
        for run in state.runs:
            for task in run.tasks:
                own = task.own_evaluations
                for number, told in enumerate(own, start=1 + len(task.evaluations) - len(own)):
                    costs.update(dict.fromkeys(told.recorded_costs, "float64"))
                    yield {
                        "run": run.number,
                        "task": task.name,
                        "number": number,
                        "architecture": told.architecture,
                        "digest": told.digest,
                        "origin": told.origin,
                        "fidelity": told.fidelity,
                        "epochs": len(told.curve),
                        "score": told.score,
                        "worth": told.worth,
                        "proxy": told.proxy,
                        "reason": told.reason,
                        **told.recorded_costs,
                    }

    found = list(rows())
    return _frame(found, {**TRIALS, **dict(sorted(costs.items()))})


def motifs(state: LifeState) -> pd.DataFrame:
    """One row for each admitted architecture, in order of admission; the quarantined are marked.

    What too few persons approved, as the suite in force counts them, has no `review`.
    """
    terms = terms_in_force(state)
    kept = [(motif, False) for motif in state.library]
    put_aside = [(motif, True) for motif, _ in state.quarantined.values()]
    rows = (
        {
            "event": motif.seq,
            "run": motif.run,
            "task": motif.task,
            "architecture": motif.architecture,
            "digest": motif.digest,
            "validation": motif.validation,
            "test": motif.test,
            "metric": motif.metric or "accuracy",
            "params": motif.params,
            "review": motif.review if approved(state, terms, motif) else "",
            "quarantined": quarantined,
            "weights_sha256": motif.weights_sha256,
        }
        for motif, quarantined in sorted([*kept, *put_aside], key=lambda row: row[0].seq)
    )
    return _frame(rows, MOTIFS)


def audits(state: LifeState) -> pd.DataFrame:
    """One row for each finding of each audited finalist."""
    rows = (
        {
            "run": run.number,
            "task": task.name,
            "digest": finalist.digest,
            "standing": finalist.standing,
            "audit": finding.audit,
            "subject": finding.subject,
            "statistic": finding.statistic,
            "estimate": finding.estimate,
            "low": finding.low,
            "high": finding.high,
            "n": finding.n,
            "threshold": finding.threshold,
            "decision": finding.decision,
            "role": finding.role,
            "note": finding.note,
        }
        for run, task, finalist in finalists(state)
        if finalist.audited is not None
        for finding in findings_of(finalist.audited)
    )
    return _frame(rows, AUDITS)


def events(ledger: Ledger) -> pd.DataFrame:
    """One row for each event, as it is in the ledger."""
    import pandas as pd

    times = ledger.times()
    rows = (
        {
            "event": event.seq,
            "time": pd.Timestamp(times[event.seq], unit="s", tz="UTC") if event.seq in times else pd.NaT,
            "kind": event.kind,
            "facts": event.facts.to_json(),
            "previous": event.previous,
            "hash": event.hash,
        }
        for event in ledger.events()
    )
    return _frame(rows, EVENTS)


def _frame(rows: Iterable[Mapping[str, object]], types: Mapping[str, str]) -> pd.DataFrame:
    import pandas as pd

    table: list[Any] = [[row.get(name) for name in types] for row in rows]
    return pd.DataFrame(table, columns=list(types), dtype=object).astype(dict(types))
