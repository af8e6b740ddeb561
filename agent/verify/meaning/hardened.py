"""Whether what is told of a network's robustness can be so, from the record alone."""

from __future__ import annotations

from collections.abc import Iterator

from agent.ledger import events
from agent.stream.file import Stream
from agent.workers.hardened import COUNTED

__all__ = ["wrong_robustness"]

_TURNED = 1  # examples on the edge, that another order of the same sums may turn


def wrong_robustness(tested: events.Tested, stream: Stream) -> Iterator[str]:
    """What cannot be so, in sentences: proved inputs withstand attacks, and attacked ones were answered before."""
    section, found = stream.training.robustness, tested.robust
    if section is None:
        if found is not events.UNSET:
            yield "it tells a robustness, and the stream asks for none"
        return
    if tested.reason:
        return
    if found is events.UNSET:
        yield "the stream asks for robustness, of which it tells nothing"
        return
    if (found.norm, found.radius) != (section.norm, section.radius):
        yield f"its radius is {found.radius:g} in {found.norm}, the stream's {section.radius:g} in {section.norm}"
    if found.count != min(COUNTED, tested.test_count):
        yield f"{found.count} test examples were attacked, of {tested.test_count} there are {COUNTED} at most"
    if not 0 <= found.certified <= found.attacked <= found.clean <= found.count:
        yield (
            f"of {found.count} test examples {found.certified} are proved, {found.attacked} withstood attacks and "
            f"{found.clean} were answered, which cannot be"
        )
    right, wrong = tested.test_correct, tested.test_count - tested.test_correct
    if found.clean > right + _TURNED or found.count - found.clean > wrong + _TURNED:
        yield (
            f"of {found.count} test examples {found.clean} were answered, of all {tested.test_count} there were {right}"
        )
    if found.masked > found.clean - found.attacked:
        yield f"the search turned {found.masked} examples alone, of {found.clean - found.attacked} that were turned"
    if found.unproved and found.certified:
        yield f"{found.certified} examples are proved, and nothing could be: {found.unproved}"
