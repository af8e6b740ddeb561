"""A trained network of a life as a bundle that runs where this project is not; and such a bundle, checked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.api.exporting import Precision, read_form
from agent.deploying.chosen import chosen, facts_of
from agent.ledger.home import Home, hold
from agent.ledger.store import Ledger, reading
from agent.state.plugins import of_life
from agent.state.recorded import suite_of
from agent.state.state import replay
from selfnas.errors import InputError
from selfnas.files import check_continued

if TYPE_CHECKING:
    from agent.deploying.bundle import Bundle
    from agent.deploying.checking import BundleCheck

__all__ = ["Bundled", "bundle", "check"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundled:
    """A bundle that was written.

    Attributes:
        folder: where it lies.
        sentences: what was measured, for people.
        failed: gates and alarms of the suite that the file's own answers do not pass.
    """

    folder: Path
    sentences: tuple[str, ...]
    failed: tuple[str, ...]


def bundle(
    home: str | Path,
    digest: str,
    output: str | Path,
    *,
    task: str = "",
    base: str | Path = "",
    refused: bool = False,
    precision: Precision = "float32",
    force: bool = False,
) -> Bundled:
    """Write a folder with the network as an ONNX file and all that is needed to run and to judge it.

    The life records that it was written, unless another agent holds the home; then this is said.

    Args:
        home: directory of the life.
        digest: beginning of the architecture's; of the latest run that has it.
        output: the folder; it may be there if it is empty.
        task: only networks of this task; empty for all.
        base: directory that relative paths of data start from, that of the stream file.
        refused: a finalist that stands refused, which is never bundled otherwise; card and facts say so.
        precision: `float32` or `int8`.
        force: an earlier bundle that lies there is replaced.

    Raises:
        InputError: no such network, or several; it stands otherwise than asked for; its weights or its data are missing
            or were changed; the extra `onnx` is not installed; or the folder holds something else.
        ExportError: what would be written does not answer as the network did.
    """
    from agent.deploying.bundle import bundle_of, deployed_event, write_bundle
    from agent.deploying.programs import as_onnx, subject_of
    from selfnas import seeding

    read_form("onnx", precision)
    root, folder = Home(Path(home)), check_folder(Path(output), force=force)
    with _recording(root) as (ledger, unrecorded):
        run, held, finalist = chosen(replay(ledger), digest, task=task, refused=refused)
        facts = facts_of(run, held, finalist, head=ledger.head()[1])
        subject = subject_of(root, run, held, finalist, base=Path(base))
        artefact = as_onnx(subject, facts, precision=precision)
        seed = seeding.derive(run.started.record.seed, "audit", subject.task.digest, finalist.digest)
        made = bundle_of(subject, artefact, held, finalist, suite=suite_of(run), seed=seed)
        write_bundle(folder, made)
        told = f"not recorded in the life: {unrecorded}"
        if not unrecorded:
            told = f"recorded as event {ledger.append([deployed_event(made, run, held, finalist)])[0].seq}"
    return Bundled(folder=folder, sentences=(*_sentences(made), told), failed=made.judged.failed)


def check(folder: str | Path) -> BundleCheck:
    """Recompute a bundle's checksums, run its own examples and compare; see `agent.deploying.checking`.

    Raises:
        InputError: it is no folder that can be read, or the extra `onnx` is not installed.
    """
    from agent.deploying.checking import check_bundle

    return check_bundle(Path(folder))


def check_folder(folder: Path, *, force: bool) -> Path:
    """The same folder, which is not there, or is empty, or holds a bundle that may be replaced; never in a home.

    Raises:
        InputError: otherwise.
    """
    from agent.deploying.bundle import FILES, SUMS

    check_continued(folder / SUMS)
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder}: is a link or a file, not a folder")
    held = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if held - {*FILES, SUMS}:
        other = ", ".join(sorted(held - {*FILES, SUMS})[:3])
        raise InputError(f"{folder}: holds what is no part of a bundle ({other}): choose another folder")
    if held and not force:
        raise InputError(f"{folder}: holds a bundle already: choose another folder, or replace it with --force")
    return folder


@contextmanager
def _recording(root: Home) -> Iterator[tuple[Ledger, str]]:
    """The ledger of a home, held for this; or for reading alone where another agent holds it, and why."""
    with reading(root.root):
        pass  # a home without a life is refused, not made
    with ExitStack() as stack:
        try:
            stack.enter_context(hold(root.root))
            ledger, why = stack.enter_context(Ledger(root.ledger, clock=time.time)), ""
        except InputError as error:
            ledger, why = stack.enter_context(reading(root.root)), str(error)
        stack.enter_context(of_life(ledger))
        yield ledger, why


def _sentences(made: Bundle) -> tuple[str, ...]:
    found = made.judged
    audited = f"audits of its own answers to {found.n} audit examples: " + (
        f"{', '.join(found.failed)} not passed"
        if found.failed
        else f"{len(found.findings)} findings, no gate or alarm among them failed"
    )
    if not found.n:
        audited = "not audited: the examples of the audit split cannot be had raw"
    return str(made.artefact.told), audited, str(made.latency)
