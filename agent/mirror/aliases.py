"""Whether the names of MLflow's model registry lead where the ledger says: `admitted` and `overruled`.

Registered models are named for stream and task, so several runs, and several lives, may share one. An alias is right
where it leads to the latest of this life's versions that stands, or to what another life mirrored. Takes an MLflow
client and imports nothing of MLflow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agent.ledger.events import Standing
from agent.mirror.review_tags import alias_of
from agent.state.state import Finalist

__all__ = ["Registered", "wrong_aliases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A version in the registry that belongs to a finalist of the life.

    Attributes:
        model: name of the registered model.
        version: its number there.
        finalist: whose network it is.
    """

    model: str
    version: int
    finalist: Finalist


def wrong_aliases(client: Any, own: Sequence[Registered]) -> Iterator[str]:
    """One sentence for each alias that is missing, or that leads elsewhere than the ledger says."""
    for model in sorted({one.model for one in own}):
        aliases = client.get_registered_model(model).aliases
        ours = [one for one in own if one.model == model]
        others = _of_other_lives(client, model, {one.version for one in ours})
        for alias in ("admitted", "overruled"):
            called = [one for one in ours if alias_of(one.finalist) == alias]
            if wrong := _wrong(alias, aliases.get(alias), called, others):
                yield f"MLflow's registry, {model}: {wrong}"


def _wrong(alias: str, pointed: object, ours: Sequence[Registered], others: frozenset[int]) -> str:
    """What is wrong with one alias; nothing where it is right."""
    standing = [one.version for one in ours if one.finalist.standing == Standing.ADMITTED]
    if pointed is None:
        latest = max((one.version for one in ours), default=None)
        missing = latest in standing and not any(other > latest for other in others)
        return f"alias {alias!r} is missing, it belongs to version {latest}" if missing else ""
    version = int(str(pointed))
    if version in others or version == max(standing, default=None):
        return ""
    right = f"not to version {max(standing)}" if standing else "and nothing of this life has it"
    return f"alias {alias!r} leads to version {version}, {right}"


def _of_other_lives(client: Any, model: str, ours: set[int]) -> frozenset[int]:
    """Versions that a finalist of another life was mirrored as; what was put there by hand has no such run."""
    found = set()
    for made in client.search_model_versions(f"name = '{model}'"):
        if int(made.version) in ours or not made.run_id:
            continue
        try:
            tags = client.get_run(made.run_id).data.tags
        except Exception:  # noqa: BLE001 - MLflow raises what its stores raise; a run that is gone shows nothing
            tags = {}
        if tags.get("kind") == "finalist" and tags.get("digest") == made.tags.get("digest"):
            found.add(int(made.version))
    return frozenset(found)
