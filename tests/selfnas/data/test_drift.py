"""Drift: quiet on stationary data, quick on a change that costs accuracy, unmoved by one that does not."""

from pathlib import Path

import numpy as np
import pytest

from selfnas.data.batches import load_batches, write_examples
from selfnas.data.datasets import read_npz
from selfnas.data.drift import DriftMonitor, InputProfile, by_content
from selfnas.data.sources.packaged import read_packaged
from selfnas.data.tasks import TaskSpec, load_task
from selfnas.errors import InputError
from selfnas.seeding import generator

DIGITS = TaskSpec(name="digits", source="digits", limit=900, transforms=[])


def followed(seed: int, *, errors: tuple[float, float], residuals: tuple[float, float]) -> DriftMonitor:
    """A monitor after 200 reference examples and six batches of 100, the last three by the second rates."""
    rng = generator(seed, "drift")

    def drawn(which: int, count: int) -> tuple[list[int], list[float]]:
        wrong = (rng.random(count) < errors[which]).astype(int).tolist()
        return wrong, np.clip(rng.normal(residuals[which], 0.1, count), 0, 1).tolist()

    monitor = DriftMonitor(*drawn(0, 200))
    for batch in range(6):
        look = monitor.update(*drawn(int(batch >= 3), 100))
        monitor.looks = [*getattr(monitor, "looks", []), look]  # type: ignore[attr-defined]
    return monitor


@pytest.mark.parametrize(
    ("errors", "residuals", "verdict"),
    [
        ((0.05, 0.05), (0.4, 0.4), "steady"),
        ((0.05, 0.5), (0.4, 0.4), "drift"),
        ((0.05, 0.05), (0.3, 0.7), "suspected"),
        ((0.05, 0.3), (0.3, 0.7), "drift"),
        ((0.4, 0.02), (0.4, 0.4), "steady"),  # fewer errors are no harm
    ],
)
def test_only_a_rise_of_errors_confirms(
    errors: tuple[float, float], residuals: tuple[float, float], verdict: str
) -> None:
    """Inputs alone raise a suspicion; the change is placed near the example at which it happened."""
    monitor = followed(0, errors=errors, residuals=residuals)
    looks = monitor.looks  # type: ignore[attr-defined]
    assert looks[-1].verdict == verdict
    assert all(look.verdict == "steady" for look in looks[:3])
    if verdict != "steady":
        assert (250 if verdict == "drift" else 200) <= looks[-1].change <= 340


def test_residuals_see_what_means_and_spreads_do_not() -> None:
    """Turned digits have the same pixels, and yet lie outside the directions of the digits."""
    task = load_task(DIGITS, base=Path())
    profile = InputProfile.of(task.train.x)
    upright = profile.residuals(task.test.x)
    turned = profile.residuals(np.ascontiguousarray(np.rot90(task.test.x, axes=(2, 3))))
    assert ((upright >= 0) & (upright <= 1)).all()
    assert turned.mean() > upright.mean() + 2 * upright.std() / np.sqrt(len(upright))


def test_new_examples_take_the_same_steps_as_the_old_ones(tmp_path: Path) -> None:
    """The task's own test examples, written as a file of raw pixels, come back as its test split."""
    raw = read_packaged("digits")
    task = load_task(DIGITS, base=Path())
    everything = np.array(raw.labels, dtype=np.str_)[raw.y]
    name = write_examples(tmp_path, raw.x, everything, kind="image")
    again, [batch] = load_batches(DIGITS, [tmp_path / name], base=Path())
    assert again.digest == task.digest
    rows = {row.tobytes(): label for row, label in zip(batch.split.x, batch.split.y, strict=True)}
    assert all(rows[x.tobytes()] == y for x, y in zip(task.test.x, task.test.y, strict=True))
    assert batch.digest == name.removesuffix(".npz")
    assert read_npz(tmp_path / name).labels == raw.labels
    assert write_examples(tmp_path, raw.x, everything, kind="image") == name


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.zeros((5, 9, 9), np.uint8), "y": np.arange(5)}, "examples of shape"),
        ({"x": np.zeros((5, 8, 8), np.uint8), "y": np.arange(5) + 20}, "label '20' is none of task"),
        ({"x": np.zeros((0, 8, 8), np.uint8), "y": np.zeros(0, np.int64)}, "no examples"),
        ({"x": np.zeros((5, 8, 8), np.uint8)}, "needs the keys x, y"),
    ],
)
def test_other_data_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], words: str) -> None:
    """Another shape, unknown labels, nothing at all: one message that names the file."""
    path = tmp_path / "batch.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=words) as caught:
        load_batches(DIGITS, [path], base=Path())
    assert "batch.npz" in str(caught.value)


def test_a_profile_and_an_order_do_not_hang_on_the_rows_of_a_file() -> None:
    """A file in class order gives what the same rows give in any other order."""
    rng = np.random.default_rng(0)
    y = np.sort(rng.integers(0, 10, 3000))
    x = (3 * rng.standard_normal((10, 1, 4, 4))[y] + 0.3 * rng.standard_normal((3000, 1, 4, 4))).astype(np.float32)
    mixed = rng.permutation(len(x))
    first, second = InputProfile.of(x).residuals(x[:100]), InputProfile.of(x[mixed]).residuals(x[:100])
    assert np.array_equal(first, second)
    assert np.array_equal(x[by_content(x, y)], x[mixed][by_content(x[mixed], y[mixed])])
    assert len(set(y[by_content(x, y)][:60].tolist())) == 10
