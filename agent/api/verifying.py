"""Everything that a life can be held to, in one result: the ledger, what is computed again, signature, MLflow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.ledger.home import Home
from agent.ledger.store import reading
from agent.state.state import replay
from agent.verify.verification import Verification, verify

__all__ = ["Depth", "verified"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How far to compute again.

    Attributes:
        sample: networks to audit again, and baselines to fit again.
        seed: of their draw.
        base: directory of the stream file, where relative paths of data start.
    """

    sample: int = 3
    seed: int = 0
    base: Path = Path()


def verified(
    home: Path,
    *,
    depth: Depth | None = None,
    key: Path | None = None,
    reviewers: Sequence[Path] = (),
    mlflow: bool = False,
    progress: Callable[[str], None] = lambda doing: None,
) -> Verification:
    """Check a life.

    Args:
        home: directory of the life.
        depth: what to compute again; None computes no solver's answer and no audit.
        key: public key that the head of the chain must be signed with; None asks for no signature.
        reviewers: public keys, one of which every decision of a person must be signed with; none asks for no signature.
        mlflow: compare the MLflow records too.
        progress: told what is being done.

    Raises:
        InputError: there is no life in this home.
    """
    with reading(home) as ledger:
        result = verify(ledger, Home(home))
        state = replay(ledger) if mlflow or depth is not None else None
        if state is not None and mlflow:
            from agent.mirror.keys import task_keys
            from agent.mirror.writer import Mirror, store_is_missing, tracking_uri

            if store_is_missing():
                result.problems.append(
                    "there is no mlflow.db in this directory: verify where the life was mirrored, or say where its "
                    "records are by MLFLOW_TRACKING_URI"
                )
            else:
                progress("comparing MLflow records")
                keys = task_keys(ledger, state)
                checked, problems = Mirror(tracking_uri()).check(Home(home), state, keys=keys, times=ledger.times())
                result.checked += checked
                result.problems += problems
        if state is not None and depth is not None:
            from agent.verify.meaning.deployments import deploy_again
            from agent.verify.recomputation import audit_again, read_again, solve_again
            from agent.verify.refitting import fit_again

            for further in (
                read_again(Home(home), state, base=depth.base),
                solve_again(ledger, progress=lambda count: progress(f"{count} certificates solved again")),
                audit_again(
                    Home(home), state, count=depth.sample, seed=depth.seed, base=depth.base,
                    progress=lambda name: progress(f"auditing {name}"),
                ),
                fit_again(
                    state, count=depth.sample, seed=depth.seed, base=depth.base,
                    progress=lambda name: progress(f"fitting {name}"),
                ),
                deploy_again(
                    Home(home), state, base=depth.base, progress=lambda name: progress(f"making the file of {name}")
                ),
            ):  # fmt: skip
                result.checked += further.checked
                result.problems += further.problems
                result.notes += further.notes
        if key is not None:
            from agent.ledger.signature import check_signature

            signed, problems = check_signature(ledger, Home(home), key)
            result.checked["signed events"] = signed
            result.problems += problems
        if reviewers:
            from agent.ledger.review_signature import key_text
            from agent.ledger.signature import public_key
            from agent.verify.reviews import unsigned

            signed, problems = unsigned(ledger, [key_text(public_key(path)) for path in reviewers])
            result.checked["signed decisions"] = signed
            result.problems += problems
    return result
