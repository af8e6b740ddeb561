"""A life, opened for reading from Python: its tables, networks and tasks; verification and the report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent.api import frames
from agent.ledger.home import Home
from agent.ledger.store import reading
from agent.state.plugins import of_life
from agent.state.state import LifeState, RunState, TaskState, replay
from selfnas.errors import InputError, suggestion
from selfnas.spaces.architecture import Architecture
from selfnas.spaces.named import parse_architecture

if TYPE_CHECKING:
    import pandas as pd

    from agent.api.exporting import Exported, Form, Precision
    from agent.report.shortfall import Shortfall
    from agent.verify.verification import Verification
    from selfnas.data.tasks import Task
    from selfnas.networks.network import Network
    from selfnas.search.subcells import SubCell
    from selfnas.training.whole import WholeNetwork

__all__ = ["Life", "open_life"]


def open_life(home: str | Path, *, base: str | Path | None = None) -> Life:
    """A life, for reading; nothing in its home is changed, except a report that is asked for.

    Args:
        home: directory of the life.
        base: directory that relative paths of data start from, that of the stream file; None is the current one. Data
            that a Python program had written into the home are found there in any case.

    Raises:
        InputError: there is no life in this home.

    Example:
        >>> open_life("lives/first").trials.groupby("task").score.max()  # doctest: +SKIP
    """
    return Life(Path(home), base=Path() if base is None else Path(base))


class Life:
    """A life, for reading; made by `run` and `open_life`.

    Every table is read when it is asked for, so a life that goes on meanwhile is shown as it is then. No file stays
    open in between.

    Args:
        home: directory of the life.
        base: directory that relative paths of data start from.

    Raises:
        InputError: there is no life in this home.
    """

    def __init__(self, home: Path, *, base: Path) -> None:
        self.home, self._base = home, base
        self._known: tuple[str, LifeState] | None = None  # hash of the latest event, and the state after it
        with self._opened():
            pass

    def __repr__(self) -> str:
        with self._opened() as state:
            return f"Life({str(self.home)!r}: {len(state.runs)} run(s), {len(state.library)} admitted architecture(s))"

    @property
    def tasks(self) -> pd.DataFrame:
        """One row for each task of each run.

        Columns: `run`, `task`, `stream`, `space`, `metric` (its name), `finished`; `evaluations` at low fidelity, how
        many of them `failed`, and `evaluations_to_best`; `full_trainings` and how many were `admitted`; of the `winner`
        (its digest) `validation`, the score that the search maximised, and `test`, the metric in its own unit, with a
        95 % interval `test_low` to `test_high`, both of them accuracy in [0, 1] where that is the metric; `params`; of
        the hand-designed network `reference_test` and `reference_params`; the best `baseline` with `baseline_test`, and
        the winner's `gain` over it on the same examples, with a 95 % interval `gain_low` to `gain_high`. Where a
        finished task admitted nothing: its best finalist `closest` (digest) with `closest_validation` and
        `closest_test`, what it `missed`, and what `would_decide` it, in words; `shortfall` has all of it. Of winners
        that are hardened, the shares of test examples that withstand attacks (`attacked`) and are proved (`proved`).
        """
        with self._opened() as state:
            return frames.tasks(state)

    @property
    def trials(self) -> pd.DataFrame:
        """One row for each evaluation, in order.

        Columns: `run`, `task`, `number` from 1, `architecture`, `digest`, `origin` (`searched`, `recalled`,
        `scored`, `published`, `promoted`), `fidelity`, `epochs` trained, `score` (validation accuracy in [0, 1], or by
        another metric; NaN where training failed), `worth` (what the search maximises), `proxy`, `reason` of a failure;
        one column for each cost of an objective.
        """
        with self._opened() as state:
            return frames.trials(state)

    @property
    def motifs(self) -> pd.DataFrame:
        """One row for each admitted architecture, in order of admission.

        Columns: number of the admitting `event`, `run`, `task`, `architecture`, `digest`, `validation` and `test`
        as of a task, `metric`, `params`, `review` (`approved`, `overruled` or empty), `quarantined`, `weights_sha256`.
        """
        with self._opened() as state:
            return frames.motifs(state)

    @property
    def audits(self) -> pd.DataFrame:
        """One row for each finding of each audited finalist.

        Columns: `run`, `task`, `digest`, `standing` of the finalist (`admitted`, `refused`), then those of a finding:
        `audit`, `subject`, `statistic`, `estimate`, `low`, `high`, `n`, `threshold`, `decision`, `role`, `note`.
        """
        with self._opened() as state:
            return frames.audits(state)

    @property
    def events(self) -> pd.DataFrame:
        """One row for each event of the ledger.

        Columns: number `event`, `time` of writing (UTC; in no hash, NaT where it is missing), `kind`, `facts` as JSON
        text, `previous` hash, `hash`.
        """
        with reading(self.home) as ledger:
            return frames.events(ledger)

    def shortfall(self, task: str) -> Shortfall | None:
        """What a task came to that admitted nothing, in the latest run that has it; None where it admitted something.

        Finalists with what they missed of each gate, the hand-designed network, and what would decide it.

        Raises:
            InputError: no such task.
        """
        from agent.report.shortfall import shortfall

        with self._opened() as state:
            return shortfall(_latest(state, task)[1])

    def architecture(self, digest: str) -> Architecture:
        """An evaluated or trained architecture; it draws itself in a notebook.

        Args:
            digest: its beginning.

        Raises:
            InputError: none, or several architectures.
        """
        texts: dict[str, str] = {}
        with self._opened() as state:
            for _, task in state.tasks():
                evaluated = {one.digest: one.architecture for one in task.evaluations}
                trained = {one.digest: one.architecture for one in task.finalists}
                texts.update({known: text for known, text in (evaluated | trained).items() if known.startswith(digest)})
            if not digest or not texts:
                raise InputError(f"no architecture of this life has a digest that begins with {digest!r}")
            if len(texts) > 1:
                named = ", ".join(sorted(known[:16] for known in texts))
                raise InputError(f"several architectures begin with {digest!r}: {named}; say more of it")
            return parse_architecture(next(iter(texts.values())))

    def network(self, digest: str, *, task: str = "") -> Network:
        """A trained network, a `torch.nn.Module` in evaluation mode on the CPU, with the recorded weights.

        Args:
            digest: beginning of the architecture's; of the latest run that trained it.
            task: only networks of this task; empty for all.

        Raises:
            InputError: none, or several networks; or the weights are missing or were changed.
        """
        from agent.state.networks import restore_network
        from agent.verify.reaudit import find_finalist

        with self._opened() as state:
            _, held, finalist = find_finalist(state, digest, task=task)
            weights = Home(self.home).weights_file(finalist.trained.weights_sha256)
            return restore_network(held, finalist.architecture, weights)

    def predictor(self, digest: str, *, task: str = "") -> WholeNetwork:
        """The same network with its preparation before it: raw examples in, named outputs out.

        Args:
            digest: as for `network`.
            task: as for `network`.

        Raises:
            InputError: as `network`; or the data that its preparation was fitted on are missing or were changed.

        Example:
            >>> open_life("lives/first").predictor("4f1c")(images)["predicted"]  # doctest: +SKIP
        """
        from agent.deploying.chosen import predictor
        from agent.verify.reaudit import find_finalist

        with self._opened() as state:
            run, held, finalist = find_finalist(state, digest, task=task)
            return predictor(Home(self.home), run, held, finalist, base=self._base)[0]

    def export(
        self,
        digest: str,
        output: str | Path,
        *,
        task: str = "",
        refused: bool = False,
        bare: bool = False,
        force: bool = False,
        form: Form = "pt2",
        precision: Precision = "float32",
    ) -> Exported:
        """Write a trained network to a file that needs none of this project; see `agent.api.exporting.export`."""
        from agent.api.exporting import export

        return export(
            self.home, digest, output, task=task, base=self._base, refused=refused, bare=bare, force=force, form=form,
            precision=precision,
        )  # fmt: skip

    def task(self, name: str) -> Task:
        """A task with its data, of the latest run that has it.

        Raises:
            InputError: no such task, a task of a table, or data that are missing or were changed since.
        """
        from agent.state.recorded import recorded_task

        with self._opened() as state:
            run, found = _latest(state, name)
            return recorded_task(run, found, home=Home(self.home), base=self._base)

    def sub_cells(self) -> tuple[SubCell, ...]:
        """What winners of several tasks share, the surest gain first; each draws itself in a notebook."""
        from agent.memory.subcells import mined_in_force

        with self._opened() as state:
            found = (mined_in_force(state, space=space, tabular=tabular) for space, tabular in state.mined)
            return tuple(one.sub_cell for mined in found for one in mined)

    def verify(self, *, deep: bool = False, sample: int = 3, seed: int = 0, key: Path | None = None) -> Verification:
        """Check everything that the ledger claims; `problems` of the result is empty when all holds.

        Args:
            deep: ask Z3 about every certificate, audit a sample of networks and fit a sample of baselines again.
            sample: with `deep`, how many networks.
            seed: with `deep`, of the draw of networks.
            key: public key that the head of the chain must be signed with.
        """
        from agent.api.verifying import Depth, verified

        own = Home(self.home).stream
        base = own if own.is_dir() and self._base == Path() else self._base
        return verified(self.home, depth=Depth(sample=sample, seed=seed, base=base) if deep else None, key=key)

    def report(self, path: str | Path | None = None, *, cold: str | Path | None = None) -> Path:
        """Write one HTML page about the life; returns where it is.

        Args:
            path: the HTML file; `report/index.html` in the home when None.
            cold: home of a life without memory on the same tasks, to compare with.

        Raises:
            InputError: the file cannot be written, or there is no life at `cold`.
        """
        from agent.api.reporting import write_page

        output, other = None if path is None else Path(path), None if cold is None else Path(cold)
        return write_page(self.home, output=output, cold=other).path

    @contextmanager
    def _opened(self) -> Iterator[LifeState]:
        """The state, with the plug-ins of the life in force."""
        with reading(self.home) as ledger, of_life(ledger):
            head = ledger.head()[1]
            if self._known is None or self._known[0] != head:
                self._known = head, replay(ledger)
            yield self._known[1]


def _latest(state: LifeState, name: str) -> tuple[RunState, TaskState]:
    for run in reversed(state.runs):
        for task in reversed(list(run.tasks)):
            if task.name == name:
                return run, task
    names = sorted({task.name for run in state.runs for task in run.tasks})
    raise InputError(f"unknown task {name!r}{suggestion(name, names)}")
