"""Two copies of a home that are both lived on, mirrored to one MLflow store; and where the registry's names lead."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.ledger.events import Standing
from agent.mirror.aliases import Registered, wrong_aliases
from tests.agent.conftest import inside

STREAM = """\
stream: tab
format: 1
budget: {evaluations: 6, full_trainings: 1}
policy: {population: 4, sample: 2, batch: 2, oversample: 2, finalists_per_task: 1}
tasks:
  - {name: one, source: table, dataset: a}
"""


def experiment(place: Path) -> str:
    """Of the stream, by its number."""
    import mlflow

    found = mlflow.MlflowClient(f"sqlite:///{place}/mlflow.db").get_experiment_by_name("tab")
    assert found is not None
    return str(found.experiment_id)


def mirrored(place: Path) -> dict[str, tuple[str, dict[str, str]]]:
    """Status and tags of every MLflow run, by its number."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{place}/mlflow.db")
    return {
        run.info.run_id: (run.info.status, {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.")})
        for run in client.search_runs([experiment(place)])
    }


@pytest.mark.slow
def test_the_records_of_one_copy_are_not_written_over_by_the_other(tmp_path: Path) -> None:
    """The copy that comes second is refused by a sentence, whatever the command; the first's records stay and hold."""
    import mlflow

    (tmp_path / "tab.yaml").write_text(STREAM)
    run = ("run", "tab.yaml", "--workers", "1", "--home")
    assert inside(tmp_path, *run, "first").returncode == 0
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    assert inside(tmp_path, "mirror", "--home", "second").returncode == 0  # nothing tells them apart yet
    assert inside(tmp_path, *run, "first", "--set", "seed=1").returncode == 0
    assert inside(tmp_path, "mirror", "--home", "first").returncode == 0
    true = mirrored(tmp_path)
    assert len({tags["key"] for _, tags in true.values() if "key" in tags}) == 2

    assert inside(tmp_path, *run, "second", "--set", "seed=2").returncode == 0  # no mirror stops a life
    for command in (("mirror",), ("mirror", "--rebuild"), ("verify", "--mlflow")):
        refused = inside(tmp_path, *command, "--home", "second")
        assert refused.returncode == 1
        assert "MLflow mirrors a copy of this life" in " ".join(refused.stdout.split()), command
    inside(tmp_path, "report", "--mirror", "--home", "second")
    assert mirrored(tmp_path) == true
    holds = inside(tmp_path, "verify", "--mlflow", "--home", "first")
    assert holds.returncode == 0, holds.stdout

    mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").delete_experiment(experiment(tmp_path))
    assert inside(tmp_path, "mirror", "--rebuild", "--home", "first").returncode == 0
    assert not mirrored(tmp_path).keys() & true.keys(), "records of an experiment that was deleted are rewritten too"
    assert inside(tmp_path, "verify", "--mlflow", "--home", "first").returncode == 0
    own = inside(tmp_path, "mirror", "--home", "second", mlflow=f"sqlite:///{tmp_path}/own.db")
    assert own.returncode == 0, own.stdout


@dataclass
class Registry:
    """What `wrong_aliases` asks of an MLflow client: aliases, and versions of lives and of nobody."""

    aliases: dict[str, str] = field(default_factory=dict)
    others: dict[int, str] = field(default_factory=dict)  # by version the digest that its run names

    def get_registered_model(self, name: str) -> Any:
        """The one there is."""
        return SimpleNamespace(aliases=self.aliases)

    def search_model_versions(self, query: str) -> list[Any]:
        """What was not mirrored by this life."""
        return [
            SimpleNamespace(version=str(number), run_id=str(number), tags={"digest": "d"}) for number in self.others
        ]

    def get_run(self, run_id: str) -> Any:
        """The run that a version names."""
        return SimpleNamespace(data=SimpleNamespace(tags={"kind": "finalist", "digest": self.others[int(run_id)]}))


def version(number: int, standing: Standing, *, audits: Standing = Standing.ADMITTED) -> Registered:
    """A version of this life: how it stands, and how the audits left it."""
    finalist = SimpleNamespace(standing=standing, outcome=audits)
    return Registered(model="tab.one", version=number, finalist=finalist)  # type: ignore[arg-type]


IN, OUT = Standing.ADMITTED, Standing.REFUSED


@pytest.mark.parametrize(
    ("aliases", "own", "others", "told"),
    [
        ({"admitted": "2"}, [version(1, IN), version(2, IN)], {}, ""),
        ({"admitted": "1"}, [version(1, IN), version(2, IN)], {}, "leads to version 1, not to version 2"),
        ({"admitted": "1"}, [version(1, IN), version(2, OUT)], {}, ""),
        ({"admitted": "2"}, [version(1, IN), version(2, OUT)], {}, "leads to version 2, not to version 1"),
        ({"admitted": "1"}, [version(1, OUT)], {}, "leads to version 1, and nothing of this life has it"),
        ({}, [version(1, OUT)], {}, ""),
        ({}, [version(1, IN)], {}, "alias 'admitted' is missing, it belongs to version 1"),
        ({}, [version(1, IN), version(2, OUT)], {}, ""),
        ({"admitted": "3"}, [version(2, IN)], {3: "d"}, ""),
        ({"admitted": "3"}, [version(2, IN)], {3: "another"}, "leads to version 3, not to version 2"),
        ({}, [version(2, IN)], {3: "d"}, ""),
        ({"overruled": "1"}, [version(1, IN, audits=OUT)], {}, ""),
        ({"admitted": "1", "overruled": "1"}, [version(1, IN, audits=OUT)], {}, "'admitted' leads to version 1"),
    ],
)
def test_an_alias_that_leads_elsewhere_than_the_ledger_says_is_named(
    aliases: dict[str, str], own: list[Registered], others: dict[int, str], told: str
) -> None:
    """To an older version, to a revoked one, to one that nobody mirrored, or nowhere; another life's may have it."""
    found = list(wrong_aliases(Registry(aliases, others), own))
    assert len(found) == bool(told)
    assert all(told in one for one in found)
