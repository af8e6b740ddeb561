"""What reviewers see: the verdict first, every finding with its limits, pictures of both kinds of input."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest
from torch import nn

import audits
from audits import AuditData, Suite, attribution_figure, card, card_page, confusion_figure, judge, run_suite
from audits.contract.examinee import NetworkOutputError
from audits.verdicts.power import power


def test_card_says_the_verdict_first(healthy: nn.Module, data: AuditData, suite: Suite) -> None:
    """Then each finding by its label, and what each audit can and cannot catch."""
    findings = run_suite(healthy, data, suite, seed=0)
    text = card(findings, judge(findings, suite), title="cell 7", facts={"task": "toy"})
    lines = text.splitlines()
    assert lines[0] == "# cell 7"
    assert lines[2].startswith("**Verdict: admit**")
    for finding in findings:
        assert sum(line.startswith(f"| {finding.label} |") for line in lines) == 1
    assert text.count("It cannot catch") == len({finding.audit for finding in findings})


def test_card_says_what_was_not_tested_and_what_a_pass_is_worth(
    healthy: nn.Module, data: AuditData, suite: Suite
) -> None:
    """Grey, in the verdict's own line, and with no record of catches beside it; a pass stands beside its power."""
    named = run_suite(healthy, data, suite, seed=0)
    unnamed = run_suite(healthy, replace(data, nuisances=(), triggers=()), suite, seed=0)
    calibration = audits.calibration_of(suite)
    texts = [
        card(found, judge(found, suite), title="t", facts={}, calibration=calibration) for found in (named, unnamed)
    ]
    line = texts[1].splitlines()[2]
    assert line.endswith("**not tested**: swap, trigger, relevance, fills.")
    assert "not tested" not in texts[0]
    row = next(line for line in texts[1].splitlines() if line.startswith("| swap.untested"))
    assert row.startswith("| swap.untested | **not tested** | – | – | – | 0 |")
    assert "<b class='tested'>not tested</b>" in card_page(texts[1], pictures={})
    proofs = [next(line for line in text.splitlines() if line.startswith("- **swap**")) for text in texts]
    assert "Here it tested nothing." in proofs[1]
    assert "it caught" not in proofs[1]
    follow = next(one for one in named if one.statistic == "follow")
    passes, fails = power("ceiling", 0.1, follow.n, 0.04)[0], power("ceiling", 0.1, follow.n, 0.2)[1]
    assert (
        f"- With n = {follow.n}, a true {follow.label} of 4.0% passes with probability {passes:.2f}, one of 20.0% "
        f"fails with probability {fails:.2f}."
    ) in texts[0]
    assert "a true swap" not in texts[1]


def test_card_neutralises_foreign_text(data: AuditData, suite: Suite) -> None:
    """A message from a network's exception can neither break a table nor inject markup."""

    class Rude(nn.Module):
        def forward(self, x: object) -> object:
            raise RuntimeError("a | b\n<script>alert(1)</script> `x`")

    findings = run_suite(Rude(), data, suite, seed=0)
    text = card(findings, judge(findings, suite), title="<b>|", facts={"a|b": "<i>"})
    assert "<script>" not in text
    assert "<b>" not in text
    assert "**Verdict: undecided**" in text
    columns = {line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("| swap")}
    assert columns == {8}
    shown = card_page(text, pictures={})
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    assert "a | b" in shown


def test_page_holds_its_pictures(healthy: nn.Module, data: AuditData, suite: Suite) -> None:
    """Each figure once, below an audit that it is about; what is not there is said."""
    findings = run_suite(healthy, data, suite, seed=0)
    figures = {"attributions": "attributions.png", "confusion": "confusion.png"}
    text = card(findings, judge(findings, suite), title="cell 7", facts={}, figures=figures)
    shown = card_page(text, pictures={"confusion.png": b"png"})
    assert shown.index("<b class='admit'>Verdict: admit</b>") < shown.index("<table>")
    assert shown.count("<img alt='skill' src='data:image/png;base64,cG5n'>") == 1
    assert shown.count("no picture of relevance") == 1


def test_figures_draw(healthy: nn.Module, data: AuditData) -> None:
    """Both pictures come out the same for the same seed, without touching the network or pyplot."""
    training = healthy.training

    def drawn() -> bytes:
        buffer = io.BytesIO()
        attribution_figure(healthy, data, seed=3, count=4).savefig(buffer, format="png", metadata={"Software": None})
        confusion_figure(healthy, data).savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()

    assert drawn() == drawn()
    assert healthy.training is training


def test_figures_refuse_broken_networks(data: AuditData) -> None:
    """No picture of numbers that are not there."""

    class Broken(nn.Module):
        def forward(self, x: object) -> object:
            return x.flatten(1)[:, :4] * math.nan  # type: ignore[attr-defined]

    for draw in (lambda: confusion_figure(Broken(), data), lambda: attribution_figure(Broken(), data, seed=0)):
        with pytest.raises(NetworkOutputError, match="finite"):
            draw()


def test_every_public_name_loads() -> None:
    """The lazy table and the list of names agree, and none is hidden by a module of the same name."""
    for name in audits.__all__:
        assert getattr(audits, name).__class__.__name__ != "module"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        audits.nothing  # noqa: B018
