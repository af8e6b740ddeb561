"""One self-contained HTML page about a life: figures, tables and pictures, all from its ledger.

Every text that comes from a ledger is escaped by the template engine, and the page may load nothing and run nothing.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from agent.gate.admission import findings_of
from agent.ledger.events import UNSET, Standing
from agent.memory.subcells import mined_in_force, sentence
from agent.report import page_pictures as report_pictures
from agent.report.changes import changed, evidence_in_words, proof_in_words
from agent.report.deployments import deployment_rows
from agent.report.figures import Evidence, figures, rejections
from agent.report.parallel import parallel_picture, parallels
from agent.report.robustness import held, robust_rows
from agent.report.shortfall import shortfall
from agent.report.summary import shown_score, told_figures
from agent.report.task_figures import TaskEvidence
from agent.report.uses import operator_records, uses_of
from agent.state.limits import limit_sentence
from agent.state.rivals import rivals
from agent.state.spending import spent
from agent.state.state import LifeState, Motif
from agent.state.taught import taught_count
from selfnas.plugins import MissingPluginError
from selfnas.search.subcells import picture_cell
from selfnas.spaces.named import parse_architecture
from selfnas.strategies.mining import MinedSubCell

__all__ = ["DEFINITIONS", "render"]

DEFINITIONS: Mapping[str, str] = {
    "search efficiency": "evaluations a search without memory needed to reach 99 % of its final best, over the "
    "evaluations needed here for the same score; above 1, memory saved evaluations. Median over tasks with both.",
    "forward transfer": "mean over evaluations of the best score so far here minus that without memory, times 100. "
    "Mean over tasks with both.",
    "adaptation latency": "evaluations from a task's start until 99 % of its own best score. Median over tasks.",
    "architectural novelty": "differing edges of a task's best architecture to the nearest evaluated on any earlier "
    "task, as a share of its own edges, at most 1; 0 is a repetition. Mean over tasks after the first of a space.",
}

_CURVES = 24  # tasks drawn; the latest, so that a page of 200 tasks is made in seconds
_MOTIFS = 12  # drawn
_USES = 8  # of a sub-cell, named; the latest
_SPACES = 3  # whose trials are drawn
_ROWS = 400  # of one table
_SAID = {"gain": "better", "loss": "worse", "open": "–"}


@dataclass(frozen=True, slots=True)
class _Table:
    """Column names, those of numbers marked by a leading #, and rows of text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def render(evidence: Evidence, *, title: str = "") -> str:
    """The page.

    Args:
        title: over the page; the streams' names when empty.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(loader=PackageLoader("agent.report", "."), autoescape=True, undefined=StrictUndefined)
    tasks = evidence.tasks
    labels = [task.label for task in tasks]
    drawn = [task for task in tasks if len(task.curve)][-_CURVES:]
    runs = evidence.state.runs
    finished = sum(task.seconds is not None for task in tasks)
    return environment.get_template("page.html.j2").render(
        title=title or f"A life: {', '.join(evidence.streams) or 'nothing lived yet'}",
        facts=f"{len(runs)} run(s), {len(tasks)} task(s), {finished} finished; {len(evidence.state.library)} admitted "
        f"architecture(s); {evidence.events:,} events, head of the chain {evidence.head[:16]}. "
        "selfnas verify re-checks what is shown here.",
        tiles=_tiles(evidence),
        definitions=tuple(DEFINITIONS.items()),
        most=_ROWS,
        tasks=_task_table(tasks),
        curves=_encoded(report_pictures.curves_picture(drawn)) if drawn else "",
        curves_note=_curves_note(tasks, drawn),
        parallels=_parallels(evidence),
        matrix=_encoded(report_pictures.matrix_picture(labels, evidence.transfers)) if evidence.transfers else "",
        shortfalls=_shortfalls(evidence),
        baselines=_baseline_table(evidence),
        limits=_limit_table(evidence),
        robustness=_robustness_table(evidence),
        spent=_spent_table(evidence),
        transfers=_transfer_table(evidence),
        motifs=_motifs(evidence),
        motifs_note=_motifs_note(evidence),
        sub_cells=_sub_cells(evidence),
        operators=_operator_table(evidence),
        policy=_policy_table(evidence),
        drifts=_drift_table(evidence),
        deployed=_Table(
            ("task", "network", "file", "#bytes", "measured on it", "#furthest", "audits not passed", "latency"),
            tuple(deployment_rows(evidence.state.deployed)),
        ),
        rules=_Table(
            ("rule", "#considered and kept out"),
            tuple((rule, f"{count:,}") for rule, count in rejections(evidence).most_common()),
        ),
        audits=_audit_table(evidence),
        refusals=_refusal_table(evidence),
        costs=_cost_table(tasks),
        cost=_encoded(report_pictures.cost_picture(tasks) or b""),
    )


def _encoded(picture: bytes) -> str:
    return base64.b64encode(picture).decode("ascii")


def _parallels(evidence: Evidence) -> list[dict[str, str]]:
    """Operations against ranks, for the spaces with the most trials."""
    return [
        {
            "name": one.space,
            "picture": _encoded(parallel_picture(one)),
            "note": f"{len(one.rows):,} scored trials of {one.groups:,} task(s) and fidelities in space {one.space}.",
        }
        for one in parallels(evidence.state)[:_SPACES]
    ]


def _figures(motif: Motif) -> str:
    return told_figures(motif.metric, motif.validation, motif.test)


def _number(value: float | None, form: str = ".2f") -> str:
    return "–" if value is None else format(value, form)


def _tiles(evidence: Evidence) -> list[dict[str, str]]:
    found = figures(evidence)
    tiles = [
        {"name": name, "value": _number(found.get(name.replace(" ", "_")), form)}
        for name, form in zip(DEFINITIONS, (".1f", "+.2f", ".1f", ".2f"), strict=True)
    ]
    if "level_not_reached" in found:
        compared = sum(task.cold_to_level is not None for task in evidence.tasks)
        tiles.append(
            {"name": "tasks that did not reach that level", "value": f"{found['level_not_reached']:.0f} of {compared}"}
        )
    return tiles


def _task_table(tasks: Sequence[TaskEvidence]) -> _Table:
    columns = (
        "task", "#evaluations", "#best at", "#to 99 % of own best", "#to 99 % of cold best", "#cold needed",
        "#search efficiency", "#forward transfer", "#novelty", "recalled", "#test %",
        "#best baseline %", "#gain, points", "#hand-designed %",
    )  # fmt: skip
    rows = []
    for task in tasks:
        row = task.summary
        recalled = (
            ", ".join(f"{name} ×{n}" if n > 1 else name for name, n in Counter(row.recalled).items()) or "nothing"
        )
        missed = "not reached" if task.cold_to_level is not None else "–"
        rows.append(
            (
                task.label,
                str(row.evaluations),
                str(row.evaluations_to_best),
                _number(task.to_level, "d"),
                missed if task.to_cold_level is None else str(task.to_cold_level),
                _number(task.cold_to_level, "d"),
                _number(task.efficiency, ".1f"),
                _number(task.forward_transfer, "+.2f"),
                _number(task.novelty),
                recalled,
                "–" if row.test is None else str(row.test).replace(" %", ""),
                "–" if row.rival is None else f"{row.rival.shown} ({row.rival.record.name})",
                "–" if row.rival is None else row.rival.difference,
                "–" if row.reference_test is None else str(row.reference_test).replace(" %", ""),
            )
        )
    return _Table(columns, tuple(rows))


def _spent_table(evidence: Evidence) -> _Table:
    """How often each audit split had been used by the end of its task."""
    pairs = zip(evidence.tasks, evidence.state.readable_tasks(), strict=True)
    told = [
        (shown.label, spent(run, task), taught_count(task.started), _judged(evidence, run.number, task.name))
        for shown, (run, task) in pairs
    ]
    return _Table(
        ("task", "#networks audited on its split", "#by earlier tasks", "#files judged on it",
         "#of its examples taught before", "paid for",
         "#a bad one passed, at most"),
        tuple(
            (label, str(one.attempts), str(one.before), str(files), str(taught), "yes" if one.paid else "no",
             f"{one.error:.3g}")
            for label, one, taught, files in told
            if one is not None
        ),
    )  # fmt: skip


def _judged(evidence: Evidence, run: int, task: str) -> int:
    """Files of networks of a task that were judged on its audit split: deployed ones, and answers to specifications."""
    made = [one.facts.where[:2] for one in evidence.state.deployed]
    made += [(one.facts.run, one.facts.task) for one in evidence.state.designed]
    return made.count((run, task))


def _limit_table(evidence: Evidence) -> _Table:
    """What held each task back, as it was recorded."""
    pairs = zip(evidence.tasks, evidence.state.readable_tasks(), strict=True)
    rows = [
        (shown.label, one.name, f"{one.value:.3g}", f"{one.bound:.3g}", limit_sentence(one))
        for shown, (_, task) in pairs
        if task.finished is not None and task.finished.limits is not UNSET
        for one in task.finished.limits
    ]
    return _Table(("task", "held back by", "#value", "#bound", "what shows it"), tuple(rows))


def _robustness_table(evidence: Evidence) -> _Table:
    """What hardened networks hold within their region, in per cent of the test examples that were looked at."""
    pairs = zip(evidence.tasks, evidence.state.readable_tasks(), strict=True)
    rows = [
        (
            shown.label,
            name,
            f"{record.radius:g} ({record.norm})",
            *(str(share).replace(" %", "") for share in reversed(held(record).values())),
            f"{record.count:,}",
            f"{record.masked:,}",
            f"no bound for {record.unproved}" if record.unproved else "",
        )
        for shown, (_, task) in pairs
        for name, record in robust_rows(task)
        if record.count
    ]
    columns = (
        "task", "network", "radius", "#proved right %", "#withstand attacks %", "#right as they are %", "#examples",
        "#turned without gradients alone", "",
    )  # fmt: skip
    return _Table(columns, tuple(rows))


def _shortfalls(evidence: Evidence) -> list[dict[str, object]]:
    """Tasks that admitted nothing, each with its finalists and what would decide it."""
    columns = ("finalist", "#validation %", "#test %", "missed")
    pairs = zip(evidence.tasks, evidence.state.readable_tasks(), strict=True)
    known = ((shown.label, found) for shown, (_, task) in pairs if (found := shortfall(task)) is not None)
    return [
        {
            "label": label,
            "finalists": _Table(
                columns,
                tuple(
                    (
                        one.digest[:12],
                        "failed" if one.failure else shown_score(found.metric, one.validation),
                        "–" if one.test is None else str(one.test).replace(" %", ""),
                        one.missed,
                    )
                    for one in found.finalists
                ),
            ),
            "deciding": found.deciding,
        }
        for label, found in known
    ]


def _curves_note(tasks: Sequence[TaskEvidence], drawn: Sequence[TaskEvidence]) -> str:
    both = sum(task.cold is not None for task in tasks)
    note = (
        f"{both} of {len(tasks)} tasks have a search without memory to compare with"
        + (" (--cold HOME names a life that has)." if both < len(tasks) else ".")
        + " Dots: 99 % of what the search without memory reached at its end. One search each: a pair proves little."
    )
    return note + (f" The latest {len(drawn)} tasks are drawn." if len(drawn) < len(tasks) else "")


def _transfer_table(evidence: Evidence) -> _Table:
    labels = [task.label for task in evidence.tasks]
    return _Table(
        ("gave", "received", "#architectures", "#rank of the best there", "#its score there"),
        tuple(
            (labels[gift.giver], labels[gift.taker], str(gift.count), str(gift.rank), _number(gift.score, ".4f"))
            for gift in evidence.transfers
        ),
    )


def _uses(evidence: Evidence) -> dict[str, list[str]]:
    """By one-line cells (macro settings left out), the labels of tasks that recalled them."""
    uses: dict[str, list[str]] = {}
    for shown, (_, task) in zip(evidence.tasks, evidence.state.readable_tasks(), strict=True):
        for recalled in task.started.recalled:
            uses.setdefault(_cells(recalled.architecture), []).append(shown.label)
    return uses


def _cells(architecture: str) -> str:
    return architecture.partition(":")[2]


def _motifs(evidence: Evidence) -> list[dict[str, str]]:
    """Those used most, then the newest."""
    uses = _uses(evidence)
    distinct: dict[str, Motif] = {}
    for motif in evidence.state.library:
        with suppress(MissingPluginError):  # a space that is not here cannot be drawn
            parse_architecture(motif.architecture)
            distinct.setdefault(_cells(motif.architecture), motif)
    chosen = sorted(distinct.items(), key=lambda pair: (-len(uses.get(pair[0], [])), -pair[1].seq))[:_MOTIFS]
    shown = []
    for cells, motif in chosen:
        architecture = parse_architecture(motif.architecture)
        templates = architecture.space.templates
        names = ["" if len(templates) == 1 else template.name for template in templates]
        picture = report_pictures.cells_picture("", list(zip(names, architecture.cells, strict=True)))
        used = uses.get(cells, [])
        shown.append(
            {
                "name": motif.digest[:12],
                "origin": f"admitted on {motif.task}, run {motif.run}: {_figures(motif)}, {motif.params:,} parameters",
                "uses": f"tried first on {', '.join(used)}" if used else "not used on another task yet",
                "architecture": motif.architecture,
                "picture": _encoded(picture),
            }
        )
    return shown


def _sub_cells(evidence: Evidence) -> list[dict[str, str]]:
    """Those in force of every space, the surest gain first."""
    state = evidence.state
    return [
        {
            "name": one.sub_cell.digest[:12],
            "text": one.sub_cell.text,
            "gain": sentence(one),
            "origin": f"mined from winners of {', '.join(one.tasks)}",
            "uses": "; ".join(map(str, list(uses_of(state, one.sub_cell, tabular=tabular))[-_USES:])),
            "picture": _encoded(report_pictures.cells_picture("", [("", picture_cell(one.sub_cell))], part=True)),
        }
        for space, tabular in state.mined
        for one in _mined(state, space, tabular=tabular)
    ]


def _mined(state: LifeState, space: str, *, tabular: bool) -> tuple[MinedSubCell, ...]:
    """Those in force; none of a space that is not here."""
    try:
        return mined_in_force(state, space=space, tabular=tabular)
    except MissingPluginError:
        return ()


def _operator_table(evidence: Evidence) -> _Table:
    return _Table(
        ("space", "operator", "composed after", "judged", "kept out by", "used in"),
        tuple(
            (one.space, one.operator, one.after, one.outcome, ", ".join(one.failed) or "–",
             "; ".join(map(str, one.uses[-_USES:])) or "–")
            for one in operator_records(evidence.state)
        ),
    )  # fmt: skip


def _motifs_note(evidence: Evidence) -> str:
    distinct = len({_cells(motif.architecture) for motif in evidence.state.library})
    if not distinct:
        return "Nothing was admitted to the library."
    more = f"; the {_MOTIFS} used most are drawn, selfnas motifs list has all" if distinct > _MOTIFS else ""
    return f"{distinct} distinct admitted architecture(s){more}."


def _policy_table(evidence: Evidence) -> _Table:
    return _Table(
        ("#run", "#after task", "decision", "change", "evidence", "proof", "reason"),
        tuple(
            (str(one.run), str(one.after_task), one.kind.removeprefix("policy.").replace("_", " "), changed(one),
             evidence_in_words(one), proof_in_words(one), one.reason)
            for one in evidence.policy
        ),
    )  # fmt: skip


def _drift_table(evidence: Evidence) -> _Table:
    rows = []
    for drift in evidence.drifts:
        search, ended = drift.search, drift.ended
        successor = "searching" if ended is None else (ended.successor or "")[:12] or "none admitted"
        known = (None, None) if ended is None else (ended.evaluations, ended.evaluations_to_best)
        seconds = _number(drift.seconds(evidence.times), ".1f")
        rows.append(
            (drift.task, search.successor_task, f"{search.examples:,}", *(_number(one, "d") for one in known), seconds,
             successor)
        )  # fmt: skip
    return _Table(
        ("watched task", "successor's task", "#new examples", "#evaluations", "#best at", "#seconds", "successor"),
        tuple(rows),
    )


def _audit_table(evidence: Evidence) -> _Table:
    counts: dict[str, Counter[str]] = {}
    roles: dict[str, str] = {}
    finalists = (finalist for _, task in evidence.state.tasks() for finalist in task.finalists)
    for found in (found for finalist in finalists if finalist.audited for found in findings_of(finalist.audited)):
        said = "not tested" if found.decision == "untested" else found.decision
        counts.setdefault(found.label, Counter())[said] += 1
        roles[found.label] = found.role
    decisions = sorted({decision for counter in counts.values() for decision in counter})
    return _Table(
        ("finding", "role", *(f"#{decision}" for decision in decisions)),
        tuple((name, roles[name], *(str(counter[d]) for d in decisions)) for name, counter in counts.items()),
    )


def _baseline_table(evidence: Evidence) -> _Table:
    return _Table(
        ("task", "baseline", "measured", "#estimate", "#95 %", "#winner minus baseline, points", "winner", "remark"),
        tuple(
            (shown.label, one.title, one.record.metric, one.shown, one.limits, one.difference, _SAID[one.verdict],
             one.note)
            for shown, (_, task) in zip(evidence.tasks, evidence.state.readable_tasks(), strict=True)
            for one in rivals(task)
        ),
    )  # fmt: skip


def _refusal_table(evidence: Evidence) -> _Table:
    return _Table(
        ("task", "finalist", "stands", "reasons"),
        tuple(
            (shown.label, finalist.digest[:12], str(finalist.standing or ""), "; ".join(finalist.audited.reasons))
            for shown, (_, task) in zip(evidence.tasks, evidence.state.readable_tasks(), strict=True)
            for finalist in task.finalists
            if finalist.outcome == Standing.REFUSED and finalist.audited
        ),
    )


def _cost_table(tasks: Sequence[TaskEvidence]) -> _Table:
    rows = [
        (
            task.label,
            _number(task.seconds, ".1f"),
            _number(task.seconds_to_level, ".1f"),
            str(task.summary.evaluations),
            str(task.summary.failed),
            str(task.summary.full_trainings),
            "–" if task.summary.params is None else f"{task.summary.params:,}",
        )
        for task in tasks
    ]
    return _Table(
        ("task", "#seconds", "#seconds to 99 % of own best", "#evaluations", "#failed", "#full trainings",
         "#winner's parameters"),
        tuple(rows),
    )  # fmt: skip
