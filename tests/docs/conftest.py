"""The generators of the reference live beside the pages; tests import them from there."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "docs" / "hooks"))
