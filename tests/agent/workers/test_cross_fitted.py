"""Networks made alike answer what they have not seen, alike each time, and what they said is kept and checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from agent.workers.cross_fitted import FOLDS, answered, fitted_anew, read_cross_fitted, tensors_of
from audits import AuditData
from audits.contract.data import CrossFitted
from selfnas.data.targets import Target
from selfnas.errors import InputError
from selfnas.training.evaluation import Fidelity
from selfnas.training.training import Goal, TrainingPlan

PLAN = TrainingPlan(batch_size=16, learning_rate=2e-2, label_smoothing=0.0)
STEPS = Fidelity(name="cross-fit", steps=60)


def build(seed: int) -> nn.Module:
    """A small network."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))


def examples(labels: Tensor | None = None) -> AuditData:
    """Two classes a good way apart, or labels of one's own."""
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(60) % 2
    x = torch.randn(60, 1, 8, generator=draw) + 2.0 * (y[:, None, None] - 0.5)
    own = y if labels is None else labels
    return AuditData(x_train=x[:50], y_train=own[:50], x=x[50:], y=y[50:], classes=2)


def fitted(data: AuditData, *, seed: int = 1) -> CrossFitted:
    """By five networks."""
    found = fitted_anew(build, data, PLAN, Goal(target=data.target), STEPS, seed=seed)
    assert found is not None
    return answered(found, data)


def test_every_training_example_is_answered_by_a_network_that_had_not_seen_it() -> None:
    """What is learnable is answered; labels that tell nothing are not, however well they are learned by heart."""
    data = examples()
    found = fitted(data)
    assert (found.networks, found.outputs.shape) == (FOLDS, (50, 2))
    assert float((found.outputs.argmax(1) == data.y_train).double().mean()) > 0.85
    assert float((found.simple.argmax(1) == data.y_train).double().mean()) > 0.85
    noise = torch.randint(0, 2, (60,), generator=torch.Generator().manual_seed(2))
    told_nothing = fitted(examples(noise))
    assert 0.25 < float((told_nothing.outputs.argmax(1) == noise[:50]).double().mean()) < 0.75


def test_equal_seeds_give_equal_answers() -> None:
    """To the last bit."""
    first, second, other = (fitted(examples(), seed=seed).outputs for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_a_training_that_fails_gives_no_answers() -> None:
    """Rather than some of them."""
    data = examples()
    wild = TrainingPlan(batch_size=16, learning_rate=1e30)
    assert fitted_anew(build, data, wild, Goal(target=data.target), STEPS, seed=1) is None


def test_what_was_kept_is_read_again(tmp_path: Path) -> None:
    """Under the name that its content has; a file that is gone, changed or of something else is refused."""
    import hashlib

    data = examples()
    found = fitted(data)
    path = tmp_path / "answers"
    save_file(tensors_of(found), path)
    kept = path.rename(tmp_path / f"{hashlib.sha256(path.read_bytes()).hexdigest()}.safetensors")
    again = read_cross_fitted(kept, data.y_train, networks=FOLDS)
    assert torch.equal(again.outputs, found.outputs)
    assert torch.equal(again.simple, found.simple)
    with pytest.raises(InputError, match="are missing"):
        read_cross_fitted(tmp_path / "x.safetensors", data.y_train, networks=FOLDS)
    changed = tmp_path / f"{'0' * 64}.safetensors"
    changed.write_bytes(kept.read_bytes())
    with pytest.raises(InputError, match="is not what its name says"):
        read_cross_fitted(changed, data.y_train, networks=FOLDS)
    with pytest.raises(ValueError, match="do not fit each other"):
        read_cross_fitted(kept, data.y_train[:3], networks=FOLDS)


def test_numbers_are_cross_fitted_too() -> None:
    """With ridge regression as their simple rule."""
    draw = np.random.default_rng(0)
    x = torch.from_numpy(draw.normal(size=(60, 8)).astype(np.float32))
    target = Target(kind="regression", names=("sum",), center=(0.0,), scale=(1.0,))
    y = x[:, :3].sum(1, keepdim=True) / 3**0.5
    data = AuditData(x_train=x[:50], y_train=y[:50], x=x[50:], y=y[50:], classes=1, target=target)

    def one(seed: int) -> nn.Module:
        return nn.Sequential(build(seed), nn.Linear(2, 1))

    fit = fitted_anew(one, data, PLAN, Goal(target=target), STEPS, seed=1)
    assert fit is not None
    found = answered(fit, data)
    assert float(((found.simple - data.y_train) ** 2).mean()) < 0.01
