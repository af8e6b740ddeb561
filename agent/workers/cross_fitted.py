"""Answers of networks made alike, for the audits of a small task: fitted, kept beside the weights, and read again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from selfnas.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from audits import AuditData
    from audits.contract.data import CrossFitted
    from selfnas.training.cross_validation import CrossFit
    from selfnas.training.evaluation import Fidelity
    from selfnas.training.training import Goal, TrainingPlan

__all__ = ["FOLDS", "answered", "fitted_anew", "read_cross_fitted", "tensors_of"]

FOLDS = 5  # networks; each sees four fifths of the examples


def fitted_anew(
    build: Callable[[int], nn.Module],
    data: AuditData,
    plan: TrainingPlan,
    goal: Goal,
    fidelity: Fidelity,
    *,
    seed: int,
    groups: Sequence[str] | None = None,
) -> CrossFit | None:
    """Answers to the training examples of an audit, of networks each fitted to the other folds.

    Args:
        build: a fresh network by its seed; one that inherits nothing, for what it inherits may have seen the examples.
        data: whose training examples the audited network was trained on.
        plan: how.
        goal: for what.
        fidelity: for how many steps.
        seed: of folds, networks and trainings.
        groups: of each training example; those of a group are held out together.

    Returns:
        None where a training failed, or all examples are of one group.
    """
    from selfnas.training.cross_validation import cross_fit
    from selfnas.training.training import Examples

    examples = Examples(data.x_train, data.y_train)
    folds = min(FOLDS, len(set(groups))) if groups else FOLDS
    if folds < 2:
        return None
    return cross_fit(build, examples, plan, fidelity, goal, folds=folds, seed=seed, groups=groups)


def answered(fit: CrossFit, data: AuditData) -> CrossFitted:
    """What audits count of such answers: beside them those of the simple rule, fitted to the other folds as well."""
    from dataclasses import replace

    import torch

    from audits.contract.data import CrossFitted
    from audits.methods.skills import simple_outputs

    outputs = fit.outputs.double()
    simple = torch.zeros_like(outputs)
    for rows in fit.parts:
        held = torch.from_numpy(rows)
        inside = torch.ones(len(outputs), dtype=torch.bool)
        inside[held] = False
        fitted = replace(data, x_train=data.x_train[inside], y_train=data.y_train[inside])
        simple[held] = simple_outputs(fitted, data.x_train[held])
    return CrossFitted(outputs=outputs, simple=simple, y=data.y_train.cpu(), networks=len(fit.parts))


def tensors_of(cross: CrossFitted) -> dict[str, Tensor]:
    """What is kept in a file; the truth is the data's."""
    return {"outputs": cross.outputs, "simple": cross.simple}


def read_cross_fitted(path: Path, y: Tensor, *, networks: int) -> CrossFitted:
    """What a file holds, whose content must be what its name says.

    Args:
        path: named by its SHA-256.
        y: of the training examples that were answered.
        networks: how many answered.

    Raises:
        InputError: it is missing, was changed, or does not fit the examples.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    from audits.contract.data import CrossFitted

    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != path.stem:
            raise InputError(f"cross-fitted answers were changed: {path.name} is not what its name says")
        held = load(content)
        return CrossFitted(outputs=held["outputs"], simple=held["simple"], y=y, networks=networks)
    except OSError as error:
        raise InputError(f"cross-fitted answers are missing: {path.name}") from error
    except (SafetensorError, KeyError) as error:
        raise InputError(f"cross-fitted answers cannot be read: {path.name}: {error}") from error
