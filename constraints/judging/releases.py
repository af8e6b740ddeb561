"""Which releases of the engines can have issued a certificate: those that there were, and the one installed here."""

from __future__ import annotations

import functools
import importlib.metadata
import re

from constraints.engines.referee import VERSION
from constraints.judging.certificate import Certificate

__all__ = ["unknown_engines"]

_FIRST = (5, 4)  # of Z3, that this package asks for
_LATEST = (5, 4, 1, 0)  # that it was tried with
_NUMBERS = re.compile(r"\d+(\.\d+){1,3}")


def unknown_engines(certificate: Certificate) -> tuple[str, ...]:
    """Engines that a certificate names, and of which there is no such release, as sentences.

    Example:
        >>> record = {"guard": "", "subject": "", "digest": "", "shape": "", "rules": "", "verdict": "undecided"}
        >>> unknown_engines(Certificate(**record, engines={"referee": "1", "z3": "99.9"}))
        ('it was issued by z3 99.9, of which no release is known here',)
    """
    return tuple(
        f"it was issued by {name} {version}, of which no release is known here"
        for name, version in certificate.engines.items()
        if not _is_known(name, version)
    )


@functools.lru_cache(maxsize=64)
def _is_known(name: str, version: str) -> bool:
    if name == "referee":
        return version.isdecimal() and 1 <= int(version) <= int(VERSION)
    if name != "z3" or not _NUMBERS.fullmatch(version):
        return False
    return _numbers(version)[:2] >= _FIRST and _numbers(version) <= max(_LATEST, _installed())


def _numbers(version: str) -> tuple[int, ...]:
    """Four of them: a distribution has one more than the engine says."""
    found = [int(part) for part in version.split(".")]
    return tuple([*found, 0, 0, 0, 0][:4])


def _installed() -> tuple[int, ...]:
    """Of Z3, without loading it; nothing where it is not here, for re-checking needs no solver."""
    try:
        found = importlib.metadata.version("z3-solver")
    except importlib.metadata.PackageNotFoundError:
        return ()
    return _numbers(found) if _NUMBERS.fullmatch(found) else ()
