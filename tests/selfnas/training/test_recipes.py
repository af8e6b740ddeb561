"""Recipes change training examples and weights as they say, and nothing else."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from selfnas.data.targets import InputKind, Target
from selfnas.data.tasks import Task
from selfnas.training.augmentation import augmented, mirror_keeps_labels, mixing, smooth_enough
from selfnas.training.averaging import WeightAverage
from selfnas.training.evaluation import Fidelity
from selfnas.training.plans import plan_for
from selfnas.training.recipes import PLAIN, RECIPES, SLOTS, Recipe, chosen_recipe, recipe_for
from selfnas.training.training import Examples, Goal, TrainingPlan, accuracy, train

SHAPES: Mapping[InputKind, tuple[int, ...]] = {
    "image": (32, 3, 12, 10), "series": (32, 2, 24), "table": (32, 7), "tokens": (32, 5, 9),
}  # fmt: skip
OF_KIND: Mapping[InputKind, tuple[str, ...]] = {
    "image": ("shift", "zoom", "turn", "flip", "cutout"),
    "series": ("jitter", "scaling", "crop", "warp"),
    "table": ("noise", "swap"),
    "tokens": (),
}


def generator(seed: int = 0) -> torch.Generator:
    """Of one seed."""
    return torch.Generator().manual_seed(seed)


def batch(inputs: InputKind) -> Tensor:
    """Smooth examples, so that small moves change little."""
    shape = SHAPES[inputs]
    x = torch.randn(shape, generator=generator(1))
    return x.cumsum(-1) / 3 if inputs in ("image", "series") else x


@pytest.mark.parametrize("inputs", SHAPES)
@pytest.mark.parametrize("slot", [slot for slot in SLOTS if slot not in ("mixup", "average")])
def test_a_slot_changes_examples_of_its_kind_alone(inputs: InputKind, slot: str) -> None:
    """To the same shape and type, finite, by the generator alone, and never the batch itself."""
    x, recipe = batch(inputs), Recipe(name="one", **{slot: min(SLOTS[slot], 0.5)})
    before = x.clone()
    noise = torch.get_rng_state()
    one, two, other = (augmented(x, recipe, generator(seed), inputs=inputs) for seed in (0, 0, 1))
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), noise)
    assert (one.shape, one.dtype) == (x.shape, x.dtype)
    assert torch.isfinite(one).all()
    assert torch.equal(one, two)
    assert torch.equal(one, x) is (slot not in OF_KIND[inputs])
    assert torch.equal(one, other) is (slot not in OF_KIND[inputs])


def test_moves_are_as_far_as_stated() -> None:
    """A spot in the middle of an image stays within the shift; mirroring it all is a flip; a square is cut out."""
    x = torch.zeros(200, 1, 20, 20)
    x[:, :, 9:11, 9:11] = 1.0
    moved = augmented(x, Recipe(name="one", shift=0.2), generator(), inputs="image")
    centre = (moved[:, 0].sum(1) * torch.arange(20)).sum(1) / moved[:, 0].sum((1, 2))
    assert 3.5 < (centre - 9.5).abs().max() <= 4.001
    stripes = torch.arange(20.0).expand(8, 1, 20, 20)
    flipped = augmented(stripes, Recipe(name="one", flip=1.0), generator(), inputs="image")
    torch.testing.assert_close(flipped, stripes.flip(-1), atol=1e-4, rtol=0)
    cut = augmented(torch.ones(64, 2, 20, 20), Recipe(name="one", cutout=0.4), generator(), inputs="image")
    holes = (cut == 0).float().mean((2, 3))
    assert torch.equal(holes[:, 0], holes[:, 1])
    assert 0.1 < float(holes.max()) <= 0.17
    assert float(holes.min()) > 0.03


def test_a_series_keeps_its_order_whatever_the_warp() -> None:
    """Of a rising series any window, however stretched, rises within the same bounds."""
    x = torch.arange(30.0).expand(50, 1, 30)
    warped = augmented(x, Recipe(name="one", crop=0.5, warp=0.5), generator(), inputs="series")
    assert (warped.diff(dim=2) >= -1e-4).all()
    spans = warped[:, 0, -1] - warped[:, 0, 0]
    assert (warped.min(), warped.max()) >= (torch.tensor(0.0), torch.tensor(0.0))
    assert float(warped.max()) <= 29.001
    assert 0.5 * 29 - 0.01 <= float(spans.min()) < 0.7 * 29


def test_values_of_a_table_come_from_other_rows_of_the_same_column() -> None:
    """About as many as stated."""
    x = torch.arange(1000.0).view(100, 10)
    swapped = augmented(x, Recipe(name="one", swap=0.3), generator(), inputs="table")
    assert torch.equal(swapped % 10, x % 10)
    assert 0.2 < float((swapped != x).float().mean()) < 0.4


def test_mixing_weighs_the_own_part_most() -> None:
    """A permutation, and a weight of at least a half that varies."""
    draw = generator()
    found = [mixing(9, Recipe(name="one", mixup=0.4), draw) for _ in range(50)]
    assert all(sorted(partner.tolist()) == list(range(9)) for partner, _ in found)
    weights = [weight for _, weight in found]
    assert 0.5 <= min(weights) < 0.7
    assert 0.95 < max(weights) <= 1


def test_mixed_examples_are_learned_towards_both_labels() -> None:
    """The loss of a mixed batch is the same mixture of the losses towards both."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    data = Examples(torch.randn(16, 1, 4, generator=generator()), torch.arange(16) % 3)
    seen: list[Tensor] = []
    model.register_forward_hook(lambda module, x, _: seen.append(x[0]) if module.training else None)
    plan = TrainingPlan(batch_size=16, recipe=Recipe(name="one", mixup=1.0))
    result = train(model, data, data, plan, Fidelity(name="low", epochs=6), seed=0)
    assert not result.failure
    originals = {tuple(row) for row in data.x.flatten(1).tolist()}
    assert not any(tuple(row) in originals for row in seen[0].flatten(1).tolist())
    mean = torch.stack([rows.mean(0) for rows in seen])
    torch.testing.assert_close(mean, data.x.mean(0).expand_as(mean))


def test_photographs_may_be_mirrored_and_digits_not() -> None:
    """By a rule measured on training images; where neighbours tell nothing, it says no."""
    digits = load_digits()
    x = digits.images[:, None].astype(np.float32)
    assert not mirror_keeps_labels(x, digits.target)
    both = np.concatenate([x, x[..., ::-1]])
    assert mirror_keeps_labels(both, np.tile(digits.target, 2))
    chance = np.random.default_rng(0).integers(0, 10, len(digits.target))
    assert not mirror_keeps_labels(both, np.tile(chance, 2)[np.random.default_rng(1).permutation(len(both))])


def test_recipes_by_name_and_by_choice() -> None:
    """`auto` goes by kind and size; what is stated takes the place of a recipe's own number."""
    assert recipe_for("auto", "series", 100, {}) == chosen_recipe("series", 100)
    assert recipe_for("plain", "image", 100, {"flip": 0.5}) == Recipe(name="plain", flip=0.5)
    assert all(PLAIN.vector[place] == 0 for place in range(len(SLOTS)))
    assert len({recipe.vector for recipe in RECIPES.values()}) == len(RECIPES)
    with pytest.raises(ValueError, match="no slot 'spin'"):
        recipe_for("plain", "image", 100, {"spin": 1})
    with pytest.raises(ValueError, match=r"cutout of a recipe lies between 0 and 0\.9, not 2"):
        Recipe(name="x", cutout=2)


def test_an_average_has_statistics_of_its_own() -> None:
    """Weights lag behind exponentially; batch-norm statistics are those of the examples, not of past batches."""
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    x = 5 + 2 * torch.randn(200, 3, generator=generator())
    average = WeightAverage(network, steps=2, x=x)
    average.update()
    start = network[0].weight.detach().clone()
    with torch.no_grad():
        network[0].weight += 1.0
    average.update()
    found = average.network
    assert not found.training
    torch.testing.assert_close(found[0].weight, start + 0.5)  # type: ignore[index]
    with torch.no_grad():
        inside = found[0](x)  # type: ignore[index]
        out = found(x)
    torch.testing.assert_close(found[1].running_mean, inside.mean(0), atol=1e-3, rtol=1e-3)  # type: ignore[index]
    torch.testing.assert_close(out.mean(0), torch.zeros(4), atol=2e-2, rtol=0)
    assert torch.equal(network[1].running_mean, torch.zeros(4))


@pytest.mark.parametrize("recipe", RECIPES)
def test_training_with_a_recipe_is_deterministic_and_learns(recipe: str) -> None:
    """Equal seeds give equal weights, and what is delivered scores as its curve says."""
    x, y = load_digits(return_X_y=True)
    scaled = ((x - x.mean()) / x.std()).astype(np.float32).reshape(-1, 1, 8, 8)
    data, held = Examples.of(scaled[:300], y[:300]), Examples.of(scaled[300:500], y[300:500])
    plan = TrainingPlan(batch_size=32, recipe=RECIPES[recipe], learning_rate=1e-2)
    goal = Goal(target=Target.of_classes(10), inputs="image")

    def trained(noise: int) -> tuple[nn.Module, dict[str, Tensor]]:
        torch.manual_seed(3)
        model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))
        torch.manual_seed(noise)
        result = train(model, data, held, plan, Fidelity(name="full", steps=120), seed=1, goal=goal)
        assert accuracy(model, held) == pytest.approx(result.best)
        assert result.best > 0.8
        return model, dict(result.weights)

    (_, one), (_, two) = trained(5), trained(6)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_numbers_of_series_keep_their_time_and_scale() -> None:
    """Where a peak lies, how wide and how high it is often are what is asked: nothing of the recipe moves them."""
    recipe = chosen_recipe("series", 200, numbers=True)
    x = torch.randn(8, 2, 50, generator=torch.Generator().manual_seed(0))
    changed = augmented(x, replace(recipe, jitter=0.0), torch.Generator().manual_seed(1), inputs="series")
    assert torch.equal(changed, x)
    assert not torch.equal(augmented(x, recipe, torch.Generator().manual_seed(1), inputs="series"), x)


def test_series_that_are_noise_from_step_to_step_are_not_stretched() -> None:
    """By a rule measured on training data, where a stream says nothing of it; constant channels have no say."""
    rng = np.random.default_rng(0)
    still = np.full((80, 1, 60), 3.0)
    y = np.arange(80) % 2
    for smooth, noise in ((True, 0.1), (False, 3.0)):
        waves = np.sin(np.arange(60) / 5 + rng.uniform(0, 6, (80, 1, 1))) + noise * rng.standard_normal((80, 1, 60))
        x = np.concatenate([waves, still], axis=1).astype(np.float32)
        assert smooth_enough(x) == smooth
        task = Task.from_arrays(x, y, name="waves", inputs="series")
        recipe = plan_for(task).recipe
        assert (recipe.crop > 0, recipe.warp > 0, recipe.scaling > 0) == (smooth, smooth, True)
        assert plan_for(task, slots={"warp": 0.1}).recipe.warp == 0.1
    assert smooth_enough(still.astype(np.float32))
