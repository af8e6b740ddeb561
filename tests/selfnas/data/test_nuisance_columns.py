"""A column of a table can be named as what must not decide, whatever features it becomes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audits import AuditData
from selfnas.data.spec import TaskNuisanceSpec
from selfnas.data.tasks import Task
from selfnas.errors import InputError


def task(**named: object) -> Task:
    """A table of three columns, the second of which has categories."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"age": rng.normal(size=90), "ward": rng.choice(["a", "b", "c"], 90), "pulse": rng.normal(size=90)}
    )
    spec = TaskNuisanceSpec.model_validate({"name": "place", **named})
    return Task.from_arrays(frame, np.arange(90) % 2, name="patients", nuisances=[spec])


def test_a_column_is_all_its_features() -> None:
    """And audits see it where the network does, with the features' names."""
    made = task(column="ward")
    (nuisance,) = made.nuisances
    ((start, stop),) = nuisance.region
    data = AuditData.of(made)
    assert data.columns[0] == "age"
    assert all(name.startswith("ward=") for name in data.columns[start:stop])
    assert (start, len(data.columns) - stop) == (1, 1)


def test_a_region_of_features_will_do_too() -> None:
    """By number, as the network has them."""
    assert task(region=[[0, 1]]).nuisances[0].region == ((0, 1),)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"column": "wards"}, "no column 'wards'; did you mean 'ward'?"),
        ({"region": [[0, 99]]}, "does not fit a side of"),
        ({"region": [[0, 1]], "column": "ward"}, "a nuisance is a region or a column"),
        ({}, "a nuisance is a region or a column"),
    ],
)
def test_what_is_no_part_of_a_table_is_refused(named: dict[str, object], message: str) -> None:
    """Unknown columns, regions beyond the features, both and neither."""
    with pytest.raises((InputError, ValueError)) as refused:
        task(**named)
    assert message in str(refused.value)
