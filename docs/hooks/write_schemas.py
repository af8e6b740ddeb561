"""Writes the JSON Schemas of the files that people write: `python docs/hooks/write_schemas.py FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a checkout need not be installed

from keys import schema_of
from sources import MODELS


def main(folder: Path) -> None:
    """One file for each kind, named after it."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in MODELS:
        path = folder / f"{kind}.json"
        path.write_text(json.dumps(schema_of(kind), indent=2) + "\n", encoding="utf-8")
        print(path)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: write_schemas.py FOLDER")
    main(Path(sys.argv[1]))
