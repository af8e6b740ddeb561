"""The one text of a JSON value, which everything that is addressed by its content is hashed from."""

from __future__ import annotations

import json

__all__ = ["canonical_json"]


def canonical_json(value: object) -> str:
    """The one text of a JSON value: sorted keys, no spaces, shortest floats.

    Raises:
        ValueError: a number that is not finite.

    Example:
        >>> canonical_json({"b": 0.1, "a": [1, None]})
        '{"a":[1,null],"b":0.1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
