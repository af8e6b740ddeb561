"""Search under a set that admits little, as the bench command measures it."""

from pathlib import Path

from agent.commands.benching.constrained import STRICT_SET, latency_column, search_constrained, shares_of_front
from selfnas.tables.tabular import synthetic_benchmark


def test_only_admitted_ones_are_evaluated_and_the_best_is_found(tmp_path: Path) -> None:
    """The referee, which takes no part in the search, finds nothing forbidden among what was looked up."""
    strict = tmp_path / "strict.yaml"
    strict.write_text(STRICT_SET)
    found, forbidden, share = search_constrained(
        synthetic_benchmark(), "a", "surrogate", set_file=strict, seeds=2, longest=200
    )
    assert forbidden == 0
    assert len(found) == 2
    assert min(found) <= 200
    assert 0.1 < share < 0.2


def test_shares_are_shares() -> None:
    """Of the front of score against latency, on the made-up table."""
    table = synthetic_benchmark()
    assert latency_column(table) == "made_up_ms"
    shares = shares_of_front(table, "a", seeds=2, evaluations=40)
    assert all(0 < share <= 1 for share in shares)
    assert shares[0] != shares[1]
