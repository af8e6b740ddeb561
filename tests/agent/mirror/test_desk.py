"""The review desk on one small real life: networks audited again, decisions mirrored, the mirror made anew."""

import hashlib
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from agent.commands.ui import server_command
from agent.gate.review import finalists
from agent.ledger.home import Home
from agent.ledger.store import Ledger
from agent.mirror.writer import server_settings
from agent.state.state import LifeState, replay
from agent.verify.reaudit import find_finalist, reaudit
from experiments.speed.mirror import multiplied
from selfnas.errors import InputError
from tests.agent.conftest import TINY, inside

pytestmark = pytest.mark.slow

STREAM = TINY[: TINY.index("  - {name: again")].replace("evaluations: 4", "evaluations: 2")
STREAM_NAME = "tiny"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a life of one task, in `home`, mirrored to `mlflow.db`."""
    place = tmp_path_factory.mktemp("desk")
    (place / "tiny.yaml").write_text(STREAM)
    done = command(place)("run", "tiny.yaml", "--workers", "1")
    assert done.returncode == 0, done.stderr
    (place / "output.txt").write_text(done.stdout)
    return place


def command(place: Path) -> Command:
    """Runs the command line on that life."""
    return lambda *arguments: inside(place, *arguments, "--home", "home")


def state(place: Path) -> LifeState:
    """The life as it stands."""
    with Ledger(place / "home" / "ledger.db", clock=time.time, read_only=True) as ledger:
        return replay(ledger)


def test_a_recorded_network_audited_again_gives_the_recorded_findings(place: Path) -> None:
    """By digest, from weights and data alone; the exit code is the verdict's."""
    finalist = state(place).runs[0].tasks[0].finalists[0]
    done = command(place)("audits", "run", finalist.digest[:10], "-o", "card.md")
    assert done.returncode == (0 if finalist.outcome == "admitted" else 1), done.stderr
    assert "the same to the last bit" in done.stdout
    assert finalist.digest[:12] in (place / "card.md").read_text()
    assert command(place)("audits", "run", "ffffffffffff").returncode == 2
    assert command(place)("audits", "run", finalist.digest[:10], "some.npz").returncode == 2


def test_other_weights_give_other_findings_and_other_data_are_refused(place: Path, tmp_path: Path) -> None:
    """What is compared with the ledger is measured now, not read from it; weights under another's name are not used."""
    from safetensors.torch import load_file, save

    run, task, finalist = find_finalist(state(place), state(place).runs[0].tasks[0].finalists[0].digest[:8])
    name = f"{finalist.trained.weights_sha256}.safetensors"
    weights = load_file(place / "home" / "weights" / name)
    (tmp_path / "weights").mkdir()
    other = save({key: 0 * value for key, value in weights.items()})
    digest = hashlib.sha256(other).hexdigest()
    for path in (name, f"{digest}.safetensors"):
        (tmp_path / "weights" / path).write_bytes(other)
    with pytest.raises(InputError, match="its weights were changed"):
        reaudit(Home(tmp_path), run, task, finalist, base=place)
    finalist = replace(finalist, trained=structs.replace(finalist.trained, weights_sha256=digest))
    done = reaudit(Home(tmp_path), run, task, finalist, base=place)
    assert done.changed
    assert done.verdict.decision != "admit"
    task.started = structs.replace(task.started, task_digest="0" * 64)
    with pytest.raises(InputError, match="not those that the ledger records"):
        reaudit(Home(place / "home"), run, task, finalist, base=place)


def test_a_run_tells_the_share_of_audits(place: Path) -> None:
    """Shares of training, audits and proxies are measured and sum to the whole."""
    line = next(line for line in (place / "output.txt").read_text().splitlines() if " busy for " in line)
    shares = {name: float(share) for name, share in re.findall(r"(training|audits|baselines|proxies) ([\d.]+) %", line)}
    assert shares["training"] > 0
    assert shares["audits"] > 0
    assert abs(sum(shares.values()) - 100) < 0.2


def records(place: Path) -> dict[str, Any]:
    """Everything a reviewer sees in MLflow, without the numbers that MLflow itself hands out."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{place}/mlflow.db", registry_uri=f"sqlite:///{place}/mlflow.db")
    experiment = client.get_experiment_by_name(STREAM_NAME)
    assert experiment is not None
    found: dict[str, Any] = {"note": experiment.tags["mlflow.note.content"]}
    for run in client.search_runs([experiment.experiment_id]):
        tags = {
            name: value
            for name, value in run.data.tags.items()
            if not name.startswith("mlflow.") or name.endswith("note.content")
        }
        files = sorted(item.path for item in client.list_artifacts(run.info.run_id))
        versions = []
        for made in client.search_model_versions(f"run_id = '{run.info.run_id}'"):
            aliases = client.get_registered_model(made.name).aliases
            own = {alias for alias, version in aliases.items() if str(version) == str(made.version)}
            versions.append((made.name, made.tags, made.description, own))
        data = [(given.dataset.name, given.dataset.digest, given.dataset.source) for given in run.inputs.dataset_inputs]
        if tags["kind"] == "life":
            continue
        record = {
            "name": run.info.run_name, "tags": tags, "metrics": run.data.metrics, "files": files, "versions": versions,
            "data": data,
        }  # fmt: skip
        found[f"{tags['task']} {tags.get('digest', '')}"] = record
    return found


def test_decisions_reach_mlflow_and_survive_a_rebuild(place: Path) -> None:
    """Rows and alias say what stands after each decision; a rebuilt mirror holds the same records."""
    run = command(place)
    finalist = state(place).runs[0].tasks[0].finalists[0]
    count = len(state(place).runs[0].tasks[0].finalists)
    undecided, first = records(place), state(place).runs[0].tasks[0].name
    own = f"{first} {finalist.digest}"
    assert undecided[own]["tags"]["review"] == "awaiting"
    digest = state(place).runs[0].tasks[0].started.task_digest
    assert [(name, digest.startswith(short)) for name, short, _ in undecided[own]["data"]] == [(first, True)]
    was_best = bool(undecided[own]["versions"])
    inside = sum(each.standing == "admitted" for each in state(place).runs[0].tasks[0].finalists)
    for flips in (1, 2):
        done = run(
            "review", "overrule", finalist.digest, "--task", first, "--author", "Ann", "--reason", f"reason {flips}"
        )
        assert done.returncode == 0, done.stderr
        now = state(place).runs[0].tasks[0].finalists[0]
        assert (now.standing == finalist.outcome) == (flips == 2)
        shown = records(place)
        tags = shown[own]["tags"]
        assert (tags["verdict"], tags["review"], tags["reviewer"]) == (now.standing, "overruled", "Ann")
        assert f"reason {flips}" in tags["mlflow.note.content"]
        step = 0 if flips == 2 else 1 if finalist.outcome == "refused" else -1
        assert f" {inside + step}/{count} admitted, after review" in shown[f"{first} "]["name"]
        assert shown[f"{first} "]["tags"]["verdict"] == ("admitted" if inside + step else "nothing admitted")
        if was_best or finalist.outcome == "refused":
            (name, marks, description, aliases), wanted = shown[own]["versions"][0], finalist.outcome
            assert aliases == (
                {{"admitted": "admitted", "refused": "overruled"}[wanted]} if now.standing == "admitted" else set()
            )
            assert (name, marks["digest"]) == (f"{STREAM_NAME}.{first}", finalist.digest)
            assert ("let in by Ann: reason 1" in description) == (wanted == "refused")
        assert run("mirror", "--rebuild").returncode == 0
        assert records(place) == shown


def test_the_figures_of_a_report_reach_mlflow_once(place: Path) -> None:
    """One run for the life with its figures, the tasks' as steps, and the page; writing again replaces it."""
    import mlflow

    from agent.mirror.writer import Mirror
    from agent.report.figures import figures, gather

    with Ledger(place / "home" / "ledger.db", clock=time.time, read_only=True) as ledger:
        evidence = gather(ledger)
    uri = f"sqlite:///{place}/mlflow.db"
    for _ in range(2):
        assert Mirror(uri).write_evidence(evidence, "<p>page</p>")
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name(STREAM_NAME)
    assert experiment is not None
    [run] = client.search_runs([experiment.experiment_id], "tags.kind = 'life'")
    assert figures(evidence).items() <= run.data.metrics.items()
    steps = client.get_metric_history(run.info.run_id, "task.evaluations_to_level")
    assert [(metric.step, metric.value) for metric in steps] == [(1, evidence.tasks[0].to_level)]
    assert [item.path for item in client.list_artifacts(run.info.run_id)] == ["report.html"]


def test_what_is_registered_can_be_used_without_this_project(place: Path) -> None:
    """The registered program answers its own example, real inputs of the task, as its signature says."""
    import mlflow
    import numpy as np

    client = mlflow.MlflowClient(f"sqlite:///{place}/mlflow.db", registry_uri=f"sqlite:///{place}/mlflow.db")
    (made,) = client.search_model_versions(f"name = '{STREAM_NAME}.first'")
    mlflow.set_tracking_uri(f"sqlite:///{place}/mlflow.db")
    model = mlflow.pyfunc.load_model(f"models:/{made.name}/{made.version}")
    example = model.input_example
    assert example.shape == (2, 1, 8, 8)
    assert np.ptp(example) > 1.0
    assert model.metadata.signature.outputs.inputs[0].shape == (-1, 10)
    assert model.predict(example).shape == (2, 10)
    pages = [page.read_text() for page in (place / "mlartifacts").rglob("audit-card.html")]
    assert pages
    assert {page.count("<img alt=") for page in pages} == {2}


def test_a_mirror_is_measured_on_finalists_that_look_real(place: Path, tmp_path: Path) -> None:
    """What the benchmark repeats has digests of its own and its original's findings, weights and pictures."""
    found = list(finalists(state(place)))
    _, task = multiplied(Home(place / "home"), found, Home(tmp_path), 3)
    assert len({finalist.digest for finalist in task.finalists}) == 3
    for finalist in task.finalists:
        assert finalist.audited in [original.audited for *_, original in found]
        shown = Home(tmp_path).pictures(found[-1][0].number, task.name) / finalist.digest[:12]
        assert (shown / "attributions.png").is_file()
        assert (Home(tmp_path).weights / f"{finalist.trained.weights_sha256}.safetensors").is_file()
    with pytest.raises(InputError, match="no finalist to repeat"):
        multiplied(Home(place / "home"), [], Home(tmp_path), 3)


def test_mlflow_records_that_do_not_match_the_ledger_are_named(place: Path) -> None:
    """A tag flipped, a metric raised, a card edited, a record deleted, one made up: each is one sentence, then none."""
    import mlflow

    run = command(place)
    assert run("mirror").returncode == 0
    good = run("verify", "--mlflow")
    assert good.returncode == 0, good.stdout
    finalists = state(place).runs[0].tasks[0].finalists
    assert f"{1 + len(finalists)} MLflow records" in good.stdout

    client = mlflow.MlflowClient(f"sqlite:///{place}/mlflow.db", registry_uri=f"sqlite:///{place}/mlflow.db")
    experiment = client.get_experiment_by_name(STREAM_NAME)
    assert experiment is not None
    (task,) = client.search_runs([experiment.experiment_id], "tags.kind = 'task'")
    own, *others = client.search_runs([experiment.experiment_id], "tags.kind = 'finalist'")
    flipped = "refused" if own.data.tags["verdict"] == "admitted" else "admitted"
    client.set_tag(own.info.run_id, "verdict", flipped)
    client.log_metric(own.info.run_id, "validation", 1.0, timestamp=1)
    client.log_metric(task.info.run_id, "best_so_far", 2.0, step=1, timestamp=1)
    (card,) = (place / "mlartifacts").rglob(f"{own.info.run_id}/artifacts/audit-card.md")
    card.write_text(card.read_text().replace("1", "2"))
    tags = {name: value for name, value in own.data.tags.items() if not name.startswith("mlflow.")}
    made_up = client.create_run(experiment.experiment_id, tags=tags | {"digest": "f" * 64}, run_name="better")
    if others:
        client.delete_run(others[0].info.run_id)
    aliased = client.get_registered_model(f"{STREAM_NAME}.first").aliases
    (alias,) = aliased
    source = f"models:/{STREAM_NAME}.first/{aliased[alias]}"
    by_hand = client.create_model_version(f"{STREAM_NAME}.first", source, tags={"digest": "f" * 64})
    client.set_registered_model_alias(f"{STREAM_NAME}.first", alias, by_hand.version)
    bad = run("verify", "--mlflow")
    assert bad.returncode == 1
    told = " ".join(bad.stdout.split())
    for words in (
        f"tag verdict is '{flipped}'", "metric validation is 1.0", "the curve best_so_far is not the ledger's",
        f"alias '{alias}' leads to version {by_hand.version}, not to version {aliased[alias]}",
        "audit-card.md is not what the ledger gives", "a record that the ledger does not know: 'better'",
        *(f"MLflow lacks task first of run 1, finalist {other.data.tags['digest'][:12]}" for other in others[:1]),
    ):  # fmt: skip
        assert words in told, words
    client.delete_run(made_up.info.run_id)
    client.delete_model_version(f"{STREAM_NAME}.first", by_hand.version)
    assert run("mirror", "--rebuild").returncode == 0
    assert run("verify", "--mlflow").returncode == 0


def test_deep_verification_measures_what_the_ledger_claims(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finding edited with a chain made again, and a certificate that a lying referee confirms, are found out.

    `verify` alone can see neither: the finding's decision stands, and the referee is all that it asks.
    """
    from agent.verify.recomputation import audit_again, solve_again
    from agent.verify.verification import verify
    from constraints.engines.referee import Referee
    from tests.stress.forgeries import rewrite

    run = command(place)
    good = run("verify", "--deep", "--sample", "1")
    assert good.returncode == 0, good.stdout
    assert "1 networks audited again" in good.stdout

    def edit(events: list[tuple[str, dict[str, Any]]]) -> None:
        for kind, payload in events:
            if kind == "audited":
                found = next(one for one in payload["findings"] if one["audit"] == "faithfulness")
                found["estimate"] -= 0.001

    forged = rewrite(place / "home", tmp_path / "finding", edit)
    with Ledger(forged.ledger, clock=time.time, read_only=True) as ledger:
        assert not verify(ledger, forged).problems
        problems = audit_again(forged, replay(ledger), count=1, seed=0, base=place).problems
    assert len(problems) == 1
    assert "other findings than recorded" in problems[0]

    def allow(events: list[tuple[str, dict[str, Any]]]) -> None:
        payload = next(payload for kind, payload in events if kind == "certified")
        payload["certificate"] = payload["certificate"].replace('"rules":"p', '"rules":"f', 1)
        next(found for kind, found in events if kind == "task.started")["admitted_count"]["low"] = "1"

    forged = rewrite(place / "home", tmp_path / "certificate", allow)
    with Ledger(forged.ledger, clock=time.time, read_only=True) as ledger:
        again = solve_again(ledger)
        problems = again.problems
        assert again.checked["certificates solved again"] > 1
        assert len(problems) == 2
        assert "it says that 1 to" in problems[0]
        assert "the engines now say" in problems[1]
    monkeypatch.setattr(Referee, "verdicts", lambda self, architecture: [False] * len(self.rules))
    with Ledger(place / "home" / "ledger.db", clock=time.time, read_only=True) as ledger:
        assert any("is admit, the engines now say undecided" in problem for problem in solve_again(ledger).problems)


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[tuple[str, int]]:
    """The address and process of `selfnas ui`'s MLflow server on these records; tests may kill it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen(
        server_command(f"sqlite:///{place}/mlflow.db", host="127.0.0.1", port=port),
        cwd=place,
        env=os.environ | server_settings(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=2).close()  # noqa: S310
                break
            except OSError:
                time.sleep(0.5)
        yield address, process.pid
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def browsed(address: str, profile: Path) -> str:
    """What Chromium holds of a page once it has settled."""
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1600,1000",
        f"--user-data-dir={profile}", "--virtual-time-budget=20000", "--dump-dom", address,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=True).stdout


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to open the pages with")
def test_a_browser_shows_verdicts_and_a_picture(place: Path, server: tuple[str, int], tmp_path: Path) -> None:
    """The note's view of decided finalists lists each by its verdict; a finalist's artifact page shows its picture."""
    import mlflow

    address, _ = server
    client = mlflow.MlflowClient(f"sqlite:///{place}/mlflow.db")
    experiment = client.get_experiment_by_name(STREAM_NAME)
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], "tags.review = 'overruled'")
    (view,) = re.findall(r"\[decided by a person\]\((#[^)]*)\)", experiment.tags["mlflow.note.content"])
    listed = browsed(f"{address}/{view}", tmp_path)
    assert run.info.run_name in listed
    assert "1 matching run" in re.sub(r"<[^>]*>", "", listed)
    picture = browsed(
        f"{address}/#/experiments/{experiment.experiment_id}/runs/{run.info.run_id}/artifacts/attributions.png",
        tmp_path,
    )
    assert run.info.run_name in picture
    assert re.search(r"<img[^>]+src=\"(blob:|data:image|[^\"]*attributions)", picture)


def test_mlflow_killed_in_mid_run_costs_nothing(place: Path, server: tuple[str, int]) -> None:
    """A run whose MLflow dies while it mirrors ends well and says what is missing; the mirror is completed from it."""
    address, process = server
    tasks = "  - {name: third, source: digits, limit: 600}\n  - {name: fourth, source: digits, limit: 600}\n"
    quick = STREAM[: STREAM.index("  - {name: first")].replace("epochs: 8", "epochs: 2") + tasks
    (place / "more.yaml").write_text(quick)
    killed = threading.Event()

    def kill() -> None:
        with sqlite3.connect(f"file:{place}/mlflow.db?mode=ro", uri=True) as store:
            known = store.execute("select count(*) from runs").fetchone()
            while not killed.is_set():
                if store.execute("select count(*) from runs").fetchone() > known:
                    os.killpg(process, signal.SIGKILL)
                    killed.set()
                killed.wait(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        done = inside(place, "run", "more.yaml", "--workers", "1", "--home", "home", mlflow=address)
        assert killed.is_set()
    finally:
        killed.set()
        killer.join()
    assert done.returncode == 0, done.stderr
    assert "2 task(s) are not in MLflow yet; `selfnas mirror` writes them" in done.stdout
    assert state(place).runs[-1].finished
    run = command(place)
    assert run("verify").returncode == 0
    assert run("mirror").returncode == 0
    completed = records(place)
    tasks_lived = state(place).runs[-1].tasks
    wanted = {f"{task.name} {digest}" for task in tasks_lived for digest in ["", *(f.digest for f in task.finalists)]}
    assert wanted <= set(completed)
    assert run("mirror", "--rebuild").returncode == 0
    assert records(place) == completed
