"""Spaces: counts, draws, neighbours, vectors and text forms."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from selfnas.errors import ArchitectureError
from selfnas.spaces.architecture import Macro
from selfnas.spaces.named import SPACES, architecture_from_json, parse_architecture

MACRO = Macro(channels=8, depth=1, resolution=16)


@pytest.mark.parametrize(("name", "count"), [("nb201", 15_625), ("transnas-micro", 4_096)])
def test_counts_are_the_published_ones(name: str, count: int) -> None:
    """Of the spaces that tables are of; that an enumeration gives as many is in `check_space`."""
    assert SPACES[name].count() == count


def test_darts_count_is_the_published_one() -> None:
    """One DARTS cell of four nodes and seven operations: 1,037,664,180 (Liu et al. 2019 count two of them)."""
    assert SPACES["darts"].templates[0].count() == 1_037_664_180
    assert SPACES["darts"].count() == 1_037_664_180**2


def test_a_space_too_large_is_not_enumerated() -> None:
    """Enumerating DARTS is refused with its size."""
    with pytest.raises(ArchitectureError, match="too many to enumerate"):
        SPACES["darts"].enumerate()


def test_darts_draws_choose_source_pairs_uniformly() -> None:
    """Each of the ten source pairs of the last node is equally likely."""
    template = SPACES["darts"].templates[0]
    last = template.draw(np.random.default_rng(0), 50_000)[:, -5:] > 0
    pairs = np.unique(last, axis=0, return_counts=True)[1]
    assert len(pairs) == 10
    assert chisquare(pairs).pvalue > 0.001


def test_nb201_has_24_neighbours() -> None:
    """Six edges, four other operations each."""
    assert len(SPACES["nb201"].neighbours(np.zeros(6, dtype=np.int8))) == 24


def test_official_benchmark_strings_are_read() -> None:
    """The spellings of NAS-Bench-201's own files give the same cell."""
    official = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_1x1~2|"
    ours = "|conv3x3~0|+|none~0|none~1|+|skip~0|avg3~1|conv1x1~2|"
    space = SPACES["nb201"]
    assert space.parse_cells(official, macro=MACRO) == space.parse_cells(ours, macro=MACRO)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nb201/c8n1r16:|convv3x3~0|+|none~0|none~1|+|skip~0|none~1|none~2|", "did you mean 'conv3x3'"),
        ("nb202/c8n1r16:|conv3x3~0|", "unknown space 'nb202'; did you mean 'nb201'"),
        ("nb201/c8:|conv3x3~0|", "macro settings read 'c16n5r32'"),
        ("nb201/c8n1r16:|conv3x3~0|", "3 groups"),
        ("nb201/c8n1r16:|conv3x3~1|+|none~0|none~1|+|skip~0|none~1|none~2|", "earlier node"),
        ("nb201/c8n1r16:|conv3x3|+|none~0|none~1|+|skip~0|none~1|none~2|", "operation~source"),
        ("nb201/c1n1r16:|skip~0|+|none~0|none~1|+|skip~0|none~1|none~2|", "channels in 2..4096"),
        ("nb201/c8n1r16:" + "x" * 5000, "at most 4096 characters"),
        ("darts/c8n1r16:|skip~0|skip~1|+|skip~0|skip~1|+|skip~0|skip~1|+|skip~0|skip~1|", "needs 2 cells"),
        (
            "darts/c8n1r16:|skip~0|skip~1|+|skip~0|+|skip~0|skip~1|+|skip~0|skip~1|;"
            "|skip~0|skip~1|+|skip~0|skip~1|+|skip~0|skip~1|+|skip~0|skip~1|",
            "exactly 2 incoming",
        ),
    ],
)
def test_a_bad_architecture_text_says_what_is_wrong(text: str, message: str) -> None:
    """Each kind of slip gives its own message."""
    with pytest.raises(ArchitectureError, match=message):
        parse_architecture(text)


def test_json_with_a_foreign_digest_is_refused() -> None:
    """An architecture whose stored digest is not its own is not read."""
    text = SPACES["nb201"].decode(np.ones(6, dtype=np.int8), macro=MACRO).to_json()
    digest = SPACES["nb201"].decode(np.ones(6, dtype=np.int8), macro=MACRO).digest
    with pytest.raises(ArchitectureError, match="digest"):
        architecture_from_json(text.replace(digest, "0" * 64))


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the reader fail in another way than by its own error."""
    for candidate in (text, "nb201/c8n1r16:" + text, text.replace(" ", "|")):
        with contextlib.suppress(ArchitectureError):
            assert parse_architecture(candidate).digest
