"""Where MLflow keeps its records, and how that is told."""

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from agent.mirror.writer import store_is_missing, tracking_uri, without_password


@pytest.mark.parametrize("name", ["plain", "a b", "a#b", "a%20b", "a?b", "a%2Fb", "ä"])
def test_the_store_lies_in_the_current_folder_whatever_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signs that mean something in an address are quoted."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    assert make_url(tracking_uri()).database == str(tmp_path / name / "mlflow.db")
    assert store_is_missing()
    Path("mlflow.db").touch()
    assert not store_is_missing()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("postgresql://ann:secret@host:5432/db", "postgresql://ann:***@host:5432/db"),
        ("at https://ann:se:c@host/x: refused", "at https://ann:***@host/x: refused"),
        ("sqlite:////home/ann/mlflow.db", "sqlite:////home/ann/mlflow.db"),
        ("http://host:5000/a@b", "http://host:5000/a@b"),
    ],
)
def test_passwords_are_not_told(address: str, told: str) -> None:
    """Of an address, whatever text it stands in."""
    assert without_password(address) == told
