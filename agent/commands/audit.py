"""`selfnas audits run DIGEST --home HOME`: a recorded network, audited again."""

from __future__ import annotations

from pathlib import Path

from agent.commands.inspect import opened_life
from agent.ledger.home import Home
from agent.state.state import replay
from agent.verify.reaudit import find_finalist, reaudit
from audits import calibration_of, card, load_suite
from audits.calibrating.matrix import CALIBRATED_KIND
from selfnas.files import check_kind, write_whole

__all__ = ["audit_recorded"]


def audit_recorded(
    home: Path, digest: str, *, task: str, suite: str, base: Path, output: Path | None
) -> tuple[str, bool]:
    """The audit card of a finalist of a life, and whether the audits admit it.

    Args:
        home: directory of the life; it is only read.
        digest: beginning of the architecture's.
        task: only finalists of this task; empty for all.
        suite: name or file; empty for the one that the run was lived under.
        base: directory of the stream file, where relative paths of data start.
        output: Markdown file to write the card to.

    Raises:
        InputError: no such life, finalist, suite, weights or data; or the card is no `.md`.
    """
    file = None if output is None else check_kind(output, (".md",))
    with opened_life(home) as ledger:
        state = replay(ledger)
        run, held, finalist = find_finalist(state, digest, task=task)
        done = reaudit(Home(home), run, held, finalist, base=base, suite=load_suite(suite) if suite else None)
        if done.changed is None:
            against = "another suite was recorded"
        else:
            against = (
                f"{len(done.changed)} of {len(done.findings)} differ" if done.changed else "the same to the last bit"
            )
        facts = {
            "architecture": finalist.architecture,
            "weights": finalist.trained.weights_sha256,
            "task": f"{held.name}, run {run.number}",
            "suite": f"{done.suite.name}, digest {done.suite.digest[:16]}",
            "recorded": f"{finalist.outcome}, stands {finalist.standing}",
            "findings against the ledger": against,
        }
        text = card(
            done.findings,
            done.verdict,
            title=f"{held.name}: {finalist.digest[:12]}",
            facts=facts,
            calibration=calibration_of(done.suite) if held.kind == CALIBRATED_KIND else None,
        )
        if file is not None:
            write_whole(file, text)
        return text, done.verdict.decision == "admit"
