"""A short soak: disturbed lives end as undisturbed ones, and edits are noticed."""

from pathlib import Path

from tests.stress.soak import DISTURBANCES, soak


def test_disturbed_lives_end_as_undisturbed_ones(tmp_path: Path) -> None:
    """Every kind of disturbance came up and took effect; no invariant was broken."""
    result = soak(tmp_path, lives=4, seed=1)
    assert result.failures == []
    assert result.lives == result.edits == 4
    assert {kind for kind, count in result.took.items() if count} == set(DISTURBANCES)
    assert result.noticed > 0
    assert result.noticed + result.harmless == 4
