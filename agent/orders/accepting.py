"""From an order to a design that is accepted: checked whole, then kept whole, or not at all.

A specification that comes over the network may name nothing of this machine: its data come with it, and its constraint
set and audit suite are shipped ones.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from agent.designing.asked import read_asked
from agent.designing.spec import DesignSpec, parse_spec
from agent.orders.order import Data, Order
from agent.orders.place import Place
from agent.orders.queue import Entry, Queue, Row
from audits.verdicts.suite import shipped_suites
from constraints import shipped_sets
from selfnas.data.spec import FILES, PACKAGED_SOURCES
from selfnas.documents import Document
from selfnas.errors import InputError, Problem, suggestion
from selfnas.files import write_whole

__all__ = ["accept", "content_digest", "digest_of", "read_order", "sweep"]

_NAME = "specification"  # stands for the file in messages
_SOURCES = {"npz": ("npz",), "csv": ("csv", "tsv"), "parquet": ("parquet",), "ts": ("ts",)}
_OTHERS = tuple(source for source in FILES if source not in _SOURCES)
_ACCEPTING = "accepting"  # a file that lies in the folder of a design until the queue has it
_BESIDE = (_ACCEPTING, "worker.log")  # files of a design's folder that nobody sent
_MOST_MEMORY = 2**30  # bytes that examples may take


def digest_of(order: Order) -> str:
    """SHA-256 of all that an order says, so that it is known when it comes again."""
    return hashlib.sha256(order.model_dump_json().encode("utf-8", "surrogatepass")).hexdigest()


def content_digest(folder: Path) -> str:
    """SHA-256 over the specification and the data in a design's folder.

    Raises:
        OSError: they cannot be read.
    """
    digest = hashlib.sha256()
    for path in sorted(each for each in folder.iterdir() if each.is_file() and each.name not in _BESIDE):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def read_order(order: Order) -> tuple[Document[DesignSpec], bytes]:
    """The specification of an order and the content of its data file.

    Raises:
        InputError: either cannot be used; every problem with its line and column.
    """
    text = order.specification
    document = parse_spec(text, name=_NAME)
    problems = list(_foreign(document, order.data))
    content = b""
    if order.data is not None:
        try:
            content = base64.b64decode(order.data.base64, validate=True)
        except (binascii.Error, ValueError):
            problems.append(Problem("is not base64", "data.base64"))
        else:
            if not content:
                problems.append(Problem("the file is empty", "data.base64"))
    if problems:
        raise InputError(problems)
    return document, content


def _foreign(document: Document[DesignSpec], data: Data | None) -> Iterator[Problem]:
    """What a specification names that is neither shipped nor sent along."""
    spec = document.value
    for key, name, known in (
        (("constraints",), spec.constraints, list(shipped_sets())),
        (("search", "audits"), spec.search.audits, list(shipped_suites())),
    ):
        if name not in known:
            yield document.problem(key, f"{key[-1]}: a service takes shipped ones alone{suggestion(name, known)}")
    task = spec.task
    sent = None if data is None else data.name
    if task is None:
        if sent:
            yield Problem("there is no task that needs it", "data")
        return
    if task.source not in (*PACKAGED_SOURCES, *_SOURCES):
        other = "; send one .npz file instead" if task.source in _OTHERS else ""
        known = [*PACKAGED_SOURCES, *_SOURCES]
        yield document.problem(("task", "source"), f"a service takes {', '.join(known)}{other}")
    elif task.path is None and sent:
        yield Problem(f"source {task.source} needs none", "data")
    elif task.path is not None and task.path != sent:
        yield document.problem(("task", "path"), "path: name the data file that comes with the request, and no other")
    elif task.path is not None and not task.path.endswith(_SOURCES[task.source]):
        yield document.problem(("task", "path"), f"path: does not end as files of source {task.source} do")
    if task.labels is not None:
        yield document.problem(("task", "labels"), "labels: one file comes with a request")
    if task.most_bytes > _MOST_MEMORY:
        yield document.problem(("task", "memory"), "memory: a service gives at most 1 GiB")


def accept(order: Order, place: Place, queue: Queue, *, key: str | None, most: int) -> Row:
    """Check an order with its data, keep it, and queue it; where its key is known, the design that it became.

    Args:
        order: as it was sent.
        place: of the service.
        queue: of the service.
        key: by which the sender knows the request; None where none was sent.
        most: designs that may be open.

    Raises:
        InputError: it cannot be used; nothing of it is kept.
        KeyReusedError: the key came with another order.
        QueueFullError: as many designs are open.
        OSError: the disk takes no more; nothing of it is kept.
        sqlite3.Error: likewise.
    """
    asked = digest_of(order)
    if key is not None and (known := queue.known(key)) is not None and known.asked == asked:
        return known
    queue.check_room(most)
    document, content = read_order(order)
    design = secrets.token_hex(16)
    partial = place.folder(f".{design}")
    try:
        write_whole(partial / "specification.yaml", document.text)
        if order.data is not None:
            write_whole(partial / order.data.name, content)
        _check_data(partial)
        entry = Entry(id=design, name=document.value.design, sha256=content_digest(partial), key=key, asked=asked)
        (partial / _ACCEPTING).touch()
        partial.rename(place.folder(design))
        try:
            row = queue.add(entry, most=most)
        except BaseException:
            shutil.rmtree(place.folder(design), ignore_errors=True)
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    if row.id != design:  # the same request, twice at once
        shutil.rmtree(place.folder(design), ignore_errors=True)
    else:
        (place.folder(design) / _ACCEPTING).unlink(missing_ok=True)
    return row


def _check_data(folder: Path) -> None:
    """Read all that a specification names, as its worker will."""
    try:
        read_asked(folder / "specification.yaml")
    except InputError as error:
        raise InputError([_without(folder, each) for each in error.problems]) from error.__cause__


def _without(folder: Path, each: Problem) -> Problem:
    """A problem whose message names no folder of this machine."""
    own = f"{folder}/"
    file = each.file.replace(own, "")
    return Problem(
        each.message.replace(own, "").replace(str(folder), "the request"),
        _NAME if file == "specification.yaml" else file, each.line, each.column,
    )  # fmt: skip


def sweep(place: Place, queue: Queue) -> None:
    """Remove what a server that was killed had not accepted yet, and nothing else."""
    for folder in place.designs.iterdir():
        if folder.name.startswith("."):
            shutil.rmtree(folder, ignore_errors=True)
        elif (mark := folder / _ACCEPTING).exists():
            if queue.find(folder.name) is None:
                shutil.rmtree(folder, ignore_errors=True)
            else:
                mark.unlink()
