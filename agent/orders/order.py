"""An order: the text of a specification, and the data of its task, as they are sent."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["MOST_TEXT", "Data", "Order"]

MOST_TEXT = 100_000  # characters of a specification
_SPECIFICATION = """\
design: small-digits
format: 1
task: {name: digits, source: digits}
space: nb201
macro: c4n1r8
targets:
  parameters: "<= 30 k"
  accuracy: ">= 0.9 @audit"
  latency_p95: "<= 5 ms @batch 1"
search:
  budget: {evaluations: 4, full_trainings: 2}
"""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Data(_Model):
    """A data file that comes with a specification; the `path` of its task is this name."""

    name: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,50}\.(npz|csv|tsv|parquet|ts)$",
            description="Name of the file. How it is read is said by `source` in the specification.",
            examples=["rows.csv"],
        ),
    ]
    base64: Annotated[str, Field(description="Its content in base64 (RFC 4648, section 4).", examples=["eCx5CjEsMAo="])]


class Order(_Model):
    """A design that is wanted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"specification": _SPECIFICATION}]})

    specification: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MOST_TEXT,
            description="The text of a specification, in YAML. Its constraint set and its audit suite are shipped "
            "ones. `path` names the data file that comes with it, and nothing else.",
        ),
    ]
    data: Annotated[
        Data | None, Field(default=None, description="The data of its task, unless these are packaged ones.")
    ]
