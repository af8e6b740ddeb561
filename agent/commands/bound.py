"""`selfnas audits bound DIGEST --home HOME`: a certificate of one test example of a recorded network."""

from __future__ import annotations

from pathlib import Path

from agent.commands.inspect import opened_life
from agent.ledger.home import Home
from agent.state.networks import restore_network
from agent.state.plugins import of_runs
from agent.state.recorded import recorded_spec
from agent.state.state import replay
from agent.verify.reaudit import find_finalist
from selfnas.data.tasks import load_task
from selfnas.errors import InputError

__all__ = ["bound_recorded"]


def bound_recorded(
    home: Path, digest: str, *, task: str, base: Path, number: int, radius: float, output: Path
) -> tuple[str, bool]:
    """Write the certificate; a line about it, and whether the answer is proved.

    Args:
        home: directory of the life; it is only read.
        digest: beginning of the architecture's.
        task: only finalists of this task; empty for all.
        base: directory of the stream file, where relative paths of data start.
        number: of the test example, from 0.
        radius: share of the range of the training inputs.
        output: a `.json`.

    Raises:
        InputError: no such life, finalist, weights, data, example or radius.
    """
    import torch

    from audits.external.bounding import bound_example

    with opened_life(home) as ledger:
        run, held, finalist = find_finalist(replay(ledger), digest, task=task)
        sha256 = finalist.trained.weights_sha256
        with of_runs(run.started):
            loaded = load_task(recorded_spec(run, held), base=base)
            if loaded.digest != held.started.task_digest:
                raise InputError(f"task {held.name!r}: its data are not those that the ledger records")
            network = restore_network(held, finalist.architecture, Home(home).weights_file(sha256))
        x_train, x = torch.from_numpy(loaded.train.x), torch.from_numpy(loaded.test.x)
        return bound_example(network, x_train, x, number, radius=radius, output=output, weights_sha256=sha256)
