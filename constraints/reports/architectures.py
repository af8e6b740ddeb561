"""Reports on architectures: one judged or repaired, some drawn, all counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from constraints.judging.guard import Guard
from constraints.language.examples import format_shape
from constraints.language.rules import ConstraintSet, Context
from constraints.reports.report import Report, judged, say_count
from selfnas.figures import write_figure
from selfnas.spaces.architecture import Architecture

__all__ = ["report_check", "report_count", "report_repair", "report_sample"]

_BLAMED, _CALM = "#c0392b", "#34495e"


def report_check(set_: ConstraintSet, text: str, *, space: str, shape: str, picture: Path | None) -> Report:
    """Verdict per rule, blamed edges, nearest admitted."""
    architecture, guard = judged(set_, text, space, shape)
    decision = guard.decide(architecture)
    lines = [f"{decision.verdict}: {architecture} under {set_.name} on {format_shape(guard.context.shape)}"]
    lines += [f"  {verdict:9} {rule}" for rule, verdict in decision.rules.items()]
    record: dict[str, object] = {
        "architecture": str(architecture),
        "verdict": decision.verdict,
        "rules": dict(decision.rules),
        "messages": decision.messages,
        "quarantined": decision.quarantined,
        "certificate": json.loads(decision.certificate.to_json()),
    }
    if guard.is_idle():
        lines.append("no rule applies here: everything is admitted")
    lines += [f"not decided: {message}" for message in decision.messages if decision.verdict == "undecided"]
    blamed: tuple[str, ...] = ()
    if decision.verdict == "reject":
        explanation = guard.explain(architecture)
        blamed = explanation.blamed
        for reason in explanation.reasons:
            lines += ["", f"{reason.rule}: {reason.message}", *(f"    because of {edge}" for edge in reason.edges)]
        lines += [
            "",
            f"nearest admitted, {explanation.distance} changed edge(s):",
            *map("    {}".format, explanation.nearest),
        ]
        record["reasons"] = [asdict(reason) for reason in explanation.reasons]
        record["nearest"] = [str(near) for near in explanation.nearest]
        record["distance"] = explanation.distance
    if picture is not None:
        _draw_blame(architecture, blamed, picture)
        lines.append(f"drawn in {picture}")
    return Report(text="\n".join(lines), record=record, failed=decision.verdict != "admit")


def report_count(set_: ConstraintSet, contexts: Sequence[Context]) -> Report:
    """How many are admitted, per space."""
    lines, record = [], {}
    for context in contexts:
        guard, total = Guard.of(set_, context), context.space.count()
        count = guard.count()
        idle = [rule.id for rule, root in zip(guard.rules, guard.encoding.roots, strict=True) if root is None]
        said = ": no rule applies here" if guard.is_idle() else _clash(guard)
        lines.append(f"{context.space.name:15} {say_count(count)} of {total:,} ({count.value / total:.2%}){said}")
        record[context.space.name] = asdict(count) | {"of": total, "clash": list(guard.clash()), "not_applying": idle}
    return Report(text="\n".join(lines), record=record)


def report_sample(set_: ConstraintSet, contexts: Sequence[Context], *, number: int, seed: int) -> Report:
    """Uniform draws."""
    (context,) = contexts
    guard = Guard.of(set_, context)
    if not guard.count().high:
        text = f"nothing to draw in {context.space}{_clash(guard)}"
        return Report(text=text, record={"architectures": [], "seed": seed, "clash": list(guard.clash())}, failed=True)
    rows = guard.draw(np.random.default_rng(seed), number)
    texts = [str(guard.space.decode(row, macro=context.macro)) for row in rows]
    return Report(text="\n".join(texts), record={"architectures": texts, "seed": seed})


def _clash(guard: Guard) -> str:
    """Which rules admit nothing together; empty where something is admitted."""
    rules = guard.clash()
    what = "this rule admits nothing" if len(rules) == 1 else "these rules together admit nothing"
    return f": {what}: {', '.join(rules)}" if rules else ""


def report_repair(set_: ConstraintSet, text: str, *, space: str, shape: str, number: int) -> Report:
    """Nearest admitted architectures."""
    architecture, guard = judged(set_, text, space, shape)
    explanation = guard.explain(architecture, limit=number)
    lines = [f"{explanation.distance} changed edge(s):", *map(str, explanation.nearest)]
    if not explanation.nearest:
        lines = ["no admitted architecture is known"]
    record = {"distance": explanation.distance, "nearest": [str(near) for near in explanation.nearest]}
    return Report(text="\n".join(lines), record=record, failed=not explanation.nearest)


def _draw_blame(architecture: Architecture, blamed: Sequence[str], path: Path) -> None:
    """Write a PNG of every cell; blamed edges, present or missing, in red (missing ones dotted)."""
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch

    templates = architecture.space.templates
    figure = Figure(figsize=(8, 2.8 * len(templates)))
    rows = figure.subplots(len(templates), 1, squeeze=False)
    for template, cell, axes in zip(templates, architecture.cells, rows[:, 0], strict=True):
        present = {(edge.source, edge.target): edge.operation for edge in cell.edges}
        red = {_ends(text) for text in blamed if text.startswith(f"{template.name}:")}
        for slot in template.slots:
            if slot not in present and slot not in red:
                continue
            colour = _BLAMED if slot in red else _CALM
            bend = 0.0 if slot[1] - slot[0] == 1 else -0.28 * (1 if (slot[0] + slot[1]) % 2 else -1)
            arrow = FancyArrowPatch(
                (slot[0], 0),
                (slot[1], 0),
                connectionstyle=f"arc3,rad={bend}",
                arrowstyle="-|>",
                mutation_scale=12,
                shrinkA=12,
                shrinkB=12,
                color=colour,
                linestyle="-" if slot in present else ":",
            )
            axes.add_patch(arrow)
            middle = (slot[0] + slot[1]) / 2
            height = -bend * (slot[1] - slot[0]) / 2 + (0.06 if bend <= 0 else -0.14)
            axes.text(middle, height, present.get(slot, "missing"), ha="center", fontsize=8, color=colour)
        for node in range(template.nodes):
            face = "#d6eaf8" if node < template.inputs else "#d5f5e3" if node in template.outputs else "white"
            axes.scatter([node], [0], s=420, color=face, edgecolors=_CALM, zorder=3)
            axes.text(node, 0, str(node), ha="center", va="center", zorder=4, fontsize=9)
        axes.set(xlim=(-0.5, template.nodes - 0.5), ylim=(-1.1, 1.1), title=template.name)
        axes.axis("off")
    write_figure(figure, path, bbox="tight")


def _ends(text: str) -> tuple[int, int]:
    source, _, target = text.rsplit(" ", 1)[1].partition("->")
    return int(source), int(target)
