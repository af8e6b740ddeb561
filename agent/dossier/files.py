"""The files of a dossier: what they are called, how they are read, and what of them differs from what is right."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from agent.dossier.statement import OPEN
from selfnas.errors import InputError, cause

__all__ = [
    "ANNEX", "BILL", "MANIFEST", "PAGE", "PROVENANCE", "compared_document", "compared_page", "json_of", "read_json",
    "read_text", "stated_in",
]  # fmt: skip

MANIFEST, BILL, ANNEX, PAGE, PROVENANCE = (
    "dossier.json", "bom.cdx.json", "annex-iv.json", "annex-iv.md", "provenance.json",
)  # fmt: skip
_SHOWN = 20  # differences of one file that are told
_MAX_BYTES = 2**26


def compared_document(name: str, text: str, document: Mapping[str, Any], written: str) -> Iterator[str]:
    """What of a JSON document is not what the ledger gives.

    Args:
        name: of its file, for messages.
        text: of the file.
        document: what the ledger gives.
        written: the same as a file has it.

    Raises:
        InputError: the text is no JSON object.
    """
    given = json_of(text, Path(name))
    differences = list(_differences(_keyed(given), _keyed(json.loads(json.dumps(document))), ""))
    yield from (f"{name}: {told}" for told in differences[:_SHOWN])
    if len(differences) > _SHOWN:
        yield f"{name}: {len(differences) - _SHOWN} further differences"
    elif not differences and text != written:
        yield f"{name}: is written in another way, such as a key that is there twice"


def compared_page(name: str, text: str, right: str) -> Iterator[str]:
    """Lines of a page that are not what the ledger gives; `name` of its file is for messages."""
    yield from islice(_lines(name, text, right), _SHOWN)


def read_text(path: Path) -> str:
    """The text of a file of a dossier.

    Raises:
        InputError: missing, a link, too large or not UTF-8.
    """
    try:
        if path.is_symlink() or not path.is_file():
            raise InputError(f"{path}: no such file: a dossier has one, as `selfnas dossier` wrote it")
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path}: is larger than {_MAX_BYTES:,} bytes")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {cause(error)}") from error


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a dossier.

    Raises:
        InputError: as `read_text`; or it holds none.
    """
    return json_of(read_text(path), path)


def json_of(text: str, path: Path) -> dict[str, Any]:
    """The JSON object of a text; `path` is for messages.

    Raises:
        InputError: it is none.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: is no JSON object")
    return found


def stated_in(document: Mapping[str, Any]) -> dict[str, str]:
    """The provider's sentences; those that are still open state nothing."""
    found = {}
    for section in document.get("sections", []) if isinstance(document.get("sections"), list) else ():
        records = section.get("statements") if isinstance(section, dict) else None
        for record in records if isinstance(records, list) else ():
            match record:
                case {"basis": "provider", "key": str(key), "text": str(text)} if not text.startswith(OPEN):
                    found[key] = text
    return found


def _keyed(value: Any) -> Any:
    """The same with lists of what has names as mappings by them, so that a difference is told where it is."""
    if isinstance(value, dict):
        return {key: _keyed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        for name in ("key", "bom-ref", "name", "section"):
            names = [str(one[name]) for one in value if isinstance(one, dict) and name in one]
            if value and len(set(names)) == len(value):
                return {
                    f"{place} {told}": _keyed(one) for place, (told, one) in enumerate(zip(names, value, strict=True))
                }
        return {f"{place}": _keyed(one) for place, one in enumerate(value)}
    return value


def _differences(given: Any, right: Any, place: str) -> Iterator[str]:
    if isinstance(given, dict) and isinstance(right, dict):
        for key in [*right, *(key for key in given if key not in right)]:
            inner = f"{place}/{key}"
            if key not in given:
                yield f"{inner} is missing: the ledger gives {_short(right[key])}"
            elif key not in right:
                yield f"{inner} says {_short(given[key])}, which nothing in the ledger gives"
            else:
                yield from _differences(given[key], right[key], inner)
    elif type(given) is not type(right) or given != right:
        yield f"{place} says {_short(given)}, the ledger gives {_short(right)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _lines(name: str, given: str, right: str) -> Iterator[str]:
    for number, (one, other) in enumerate(zip_longest(given.split("\n"), right.split("\n")), 1):
        if one != other:
            yield f"{name}: line {number} says {_short(one)}, it should be {_short(other)}"
