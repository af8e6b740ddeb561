"""What is taken from another input is that part and nothing else."""

from __future__ import annotations

import pytest
import torch

from audits.searching.views import contrast, fine, fine_share, grafts, level, summaries, texture, window, windows


def inputs(*shape: int, seed: int = 0) -> torch.Tensor:
    """Drawn ones."""
    return torch.randn(6, *shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("size", "dimensions"), [((24,), 3), ((5,), 3), ((8, 8), 4), ((28, 20), 4), ((7,), 2)])
def test_windows_cover_the_input_and_lie_in_it(size: tuple[int, ...], dimensions: int) -> None:
    """Every position is in some window, and no window leaves the input; of a table each is one column."""
    covered = torch.zeros(size, dtype=torch.bool)
    for region in windows(size, dimensions=dimensions):
        assert all(0 <= start < stop <= side for (start, stop), side in zip(region, size, strict=True))
        covered[tuple(slice(*pair) for pair in region)] = True
    assert bool(covered.all())
    assert dimensions != 2 or len(windows(size, dimensions=dimensions)) == size[0]


def test_a_window_is_the_donors_and_the_rest_the_hosts() -> None:
    """To the last bit."""
    hosts, donors = inputs(1, 8, 8), inputs(1, 8, 8, seed=1)
    made = window(((2, 4), (0, 3)))(hosts, donors)
    assert torch.equal(made[:, :, 2:4, 0:3], donors[:, :, 2:4, 0:3])
    made[:, :, 2:4, 0:3] = hosts[:, :, 2:4, 0:3]
    assert torch.equal(made, hosts)


@pytest.mark.parametrize("shape", [(1, 24), (3, 10, 8)])
def test_level_and_contrast_are_the_donors(shape: tuple[int, ...]) -> None:
    """Mean and standard deviation are, and the other of the two stays."""
    hosts, donors = inputs(*shape), 2 * inputs(*shape, seed=1) + 3
    shifted, stretched = level(hosts, donors).flatten(1), contrast(hosts, donors).flatten(1)
    assert torch.allclose(shifted.mean(1), donors.flatten(1).mean(1), atol=1e-5)
    assert torch.allclose(shifted.std(1), hosts.flatten(1).std(1), atol=1e-5)
    assert torch.allclose(stretched.mean(1), hosts.flatten(1).mean(1), atol=1e-5)
    assert torch.allclose(stretched.std(1), donors.flatten(1).std(1), atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 24), (2, 10, 8)])
def test_texture_is_what_changes_fast(shape: tuple[int, ...]) -> None:
    """A slow wave has none of it, a fast one nothing else, and with the own texture an input stays as it is."""
    steps = torch.arange(shape[-1]) / shape[-1]
    slow, fast = (torch.cos(2 * torch.pi * turns * steps).expand(1, *shape) for turns in (1, shape[-1] // 2 - 1))
    assert float(fine(slow).abs().max()) < 1e-5
    assert torch.allclose(fine(fast), fast, atol=1e-5)
    hosts = inputs(*shape)
    assert torch.allclose(texture(hosts, hosts), hosts, atol=1e-5)
    assert fine_share(torch.cat([slow, -slow])) < 0.01 < 0.99 < fine_share(torch.cat([fast, -fast]))


def test_a_table_has_columns_alone() -> None:
    """Neither texture nor level is asked of it, and its summaries are its columns."""
    assert grafts(2) == {}
    assert set(grafts(3)) == set(grafts(4)) == {"texture", "level", "contrast"}
    rows = inputs(5)
    assert sorted(summaries(rows)[0].tolist()) == pytest.approx(sorted(rows[0].tolist()))


@pytest.mark.parametrize("shape", [(1, 24), (3, 7), (1, 8, 8), (3, 5, 4), (1, 1, 6)])
def test_summaries_are_finite_and_see_brightness(shape: tuple[int, ...]) -> None:
    """Of any size; a brighter input has a larger mean, the first of them."""
    x = inputs(*shape)
    told = summaries(x)
    assert told.shape[0] == len(x)
    assert bool(torch.isfinite(told).all())
    assert torch.allclose(summaries(x + 1)[:, 0], told[:, 0] + 1, atol=1e-5)
