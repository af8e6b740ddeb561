"""The command line: each command parses, calls one function, prints. Heavy imports wait until a command needs them."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from agent.commands.benching.bench import app as bench_app
from agent.commands.deploy import app as deploy_app
from agent.commands.devices import app as devices_app
from agent.commands.dossier import app as dossier_app
from agent.commands.keys import app as keys_app
from agent.commands.review import app as review_app
from agent.commands.tables import app as tables_app
from audits.commands import app as audits_app
from constraints.commands import app as constraints_app
from selfnas.figures import picture_file

__all__ = ["app", "main"]

app = typer.Typer(
    help="Lifelong, alignment-constrained, self-improving neural architecture search.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
motifs = typer.Typer(help="The library: what was admitted, and on what evidence.", no_args_is_help=True)
app.add_typer(motifs, name="motifs")
app.add_typer(constraints_app, name="constraints", help="What a safety researcher does to a constraint set.")
app.add_typer(audits_app, name="audits", help="Audit suites, what each audit catches, one network audited.")
app.add_typer(review_app, name="review", help="What people decide about finalists: list, approve, overrule, send back.")
app.add_typer(
    dossier_app,
    name="dossier",
    help="What a regulator may be handed about one network or a life, and whether the ledger bears it out.",
)
app.add_typer(keys_app, name="keys")
app.add_typer(deploy_app, name="deploy", help="A network as a folder that runs with ONNX Runtime and NumPy alone.")
app.add_typer(
    devices_app, name="devices", help="Devices that costs are counted for: shipped ones, and your own measured."
)
app.add_typer(tables_app, name="tables", help="Benchmark tables that others published.")
app.add_typer(bench_app, name="bench", help="Compare strategies on benchmark tables.")

# What the parser raises for wrong options and commands; Typer carries its parser inside and exports only a subclass.
_UsageError: type[typer.BadParameter] = typer.BadParameter.__bases__[0]

_INTERRUPTED = 130

_Home = Annotated[Path, typer.Option("--home", help="Directory of one agent's life.")]
_DEFAULT_HOME = Path(".selfnas")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"selfnas {version('selfnas')}")
        raise typer.Exit


@app.callback()
def selfnas(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Options of the program itself; its commands follow."""


@app.command("run")
def run_stream(
    stream: Annotated[
        Path | None,
        typer.Argument(
            metavar="STREAM",
            help="The stream file to live through, or a shipped stream: quickstart or safety-critical.",
        ),
    ] = None,
    home: _Home = _DEFAULT_HOME,
    seed: Annotated[int | None, typer.Option(help="Seed of the run; stands in for the file's.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Worker processes; default: one per core.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Stands in for a value of the file; repeatable."),
    ] = None,
    accept_set: Annotated[
        str,
        typer.Option(metavar="DIGEST", help="Go on under another constraint set; motifs it forbids are quarantined."),
    ] = "",
    continued: Annotated[
        str,
        typer.Option(
            "--continue",
            metavar="TASK",
            help="Give this finished task more budget; STREAM is needed only where its data paths are relative.",
        ),
    ] = "",
    evaluations: Annotated[
        int, typer.Option(metavar="+N", help="With --continue: further trainings at low fidelity.")
    ] = 0,
    full_trainings: Annotated[
        int | None,
        typer.Option(metavar="+N", help="With --continue: further full trainings; default: as many as it had."),
    ] = None,
    device: Annotated[str, typer.Option(help="Torch device for training: auto, cpu, cuda, cuda:1, mps.")] = "auto",
    executor: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Who trains: local processes; ray, a Ray cluster started on this machine; or ray:HOST:PORT.",
        ),
    ] = "local",
    mirror: Annotated[bool, typer.Option(help="Mirror finished tasks to MLflow.")] = True,
    heartbeat: Annotated[
        float, typer.Option(min=0, help="Seconds between two lines of a log that say where the run is; 0: none.")
    ] = 60.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object a line; what is for people goes to the error stream.")
    ] = False,
) -> None:
    """Live through a stream; a life that was cut off goes on where it stopped. Or give a finished task more budget."""
    import logging

    from agent.api.running import continue_task, run
    from agent.commands.run import Terminal
    from agent.stream.shipped import stream_folder, stream_path

    if stream is None and not continued:
        raise typer.BadParameter("Missing argument 'STREAM'.")
    if continued and (seed is not None or settings or accept_set):
        raise typer.BadParameter(
            "--continue takes what the ledger records: it goes without --seed, --set, --accept-set."
        )
    if not continued and (evaluations or full_trainings is not None):
        raise typer.BadParameter("--evaluations and --full-trainings go with --continue TASK.")
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    with Terminal(home, mirror=mirror, heartbeat=heartbeat, as_json=as_json) as terminal:
        if continued:
            continue_task(
                home,
                continued,
                evaluations=evaluations,
                full_trainings=full_trainings,
                base=Path() if stream is None else stream_folder(stream_path(stream)),
                workers=workers,
                device=device,
                executor=executor,
                observer=terminal,
            )
        elif stream is not None:
            run(
                stream,
                home,
                seed=seed,
                settings=settings or (),
                workers=workers,
                device=device,
                executor=executor,
                accept_set=accept_set,
                observer=terminal,
            )


@app.command()
def design(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The specification, a YAML file.")],
    folder: Annotated[
        str, typer.Option("--folder", help="Where life and bundle are kept; default: the name of the design.")
    ] = "",
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Worker processes; default: one per core.")
    ] = None,
    device: Annotated[str, typer.Option(help="Torch device for training: auto, cpu, cuda, cuda:1, mps.")] = "auto",
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Search even where no network is predicted to keep the targets.")
    ] = False,
) -> None:
    """Find a network for a specification, write its file and judge it line by line; exit code 1 where it is not met."""
    import logging

    from agent.commands.design import design as decided

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    if not decided(spec, folder, workers=workers, device=device, anyway=anyway):
        raise typer.Exit(1)


@app.command("serve")
def serve_designs(
    folder: Annotated[Path, typer.Option("--folder", help="Where designs, their lives and the queue are kept.")] = Path(
        ".selfnas-designs"
    ),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the service.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; other machines need another than this.")
    ] = "127.0.0.1",
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="Host name that people type, where it is not the address; repeatable."),
    ] = None,
    token: Annotated[
        Path | None,
        typer.Option(help="File of the bearer token, readable by its owner alone; default: one made in the folder."),
    ] = None,
    most_open: Annotated[int, typer.Option(min=1, max=100_000, help="Designs that may be open.")] = 200,
    most_mb: Annotated[int, typer.Option(min=1, max=1000, help="Largest data file, in millions of bytes.")] = 16,
    at_once: Annotated[
        int, typer.Option(min=0, max=64, help="Designs that are answered at the same time; 0 accepts alone.")
    ] = 1,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Worker processes, for each design.")] = 1,
    device: Annotated[str, typer.Option(help="Torch device for training: auto, cpu, cuda, cuda:1, mps.")] = "auto",
) -> None:
    """Take specifications over HTTP and answer each by a design; the address shows what can be asked."""
    from agent.service.guarding import Limits
    from agent.service.serving import serve_designs as serve

    limits = Limits(data=most_mb * 10**6, open=most_open)
    serve(
        folder, host=host, port=port, names=name or (), token=token, limits=limits, at_once=at_once,
        workers=workers, device=device,
    )  # fmt: skip


@app.command()
def status(home: _Home = _DEFAULT_HOME) -> None:
    """Where a life stands: its runs, their tasks, and the library."""
    from agent.commands.inspect import show_status

    show_status(home)


@app.command()
def verify(
    home: _Home = _DEFAULT_HOME,
    key: Annotated[
        Path | None, typer.Option("--key", help="Public key that the head of the chain must be signed with.")
    ] = None,
    reviewer: Annotated[
        list[Path] | None,
        typer.Option("--reviewer", help="Public key; each decision of a person must be signed with one. Repeatable."),
    ] = None,
    mlflow: Annotated[bool, typer.Option("--mlflow", help="Compare every MLflow record of this life too.")] = False,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Ask Z3 about every certificate, audit networks, fit baselines again."),
    ] = False,
    sample: Annotated[int, typer.Option(min=0, help="With --deep: how many networks, and how many baselines.")] = 3,
    seed: Annotated[int, typer.Option(help="With --deep: of the draw of networks.")] = 0,
    base: Annotated[
        Path, typer.Option(help="With --deep: directory of the stream file, if its data paths are relative.")
    ] = Path(),
) -> None:
    """Re-check the chain, every certificate, every audit verdict, every admission and its weights."""
    from rich.console import Console

    from agent.api.verifying import Depth, verified
    from agent.commands.inspect import print_verification

    depth = Depth(sample=sample, seed=seed, base=base) if deep else None
    with Console().status("verifying") as status:
        result = verified(home, depth=depth, key=key, reviewers=reviewer or (), mlflow=mlflow, progress=status.update)
    raise typer.Exit(0 if print_verification(result) else 1)


@app.command()
def mirror(
    home: _Home = _DEFAULT_HOME,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Delete this life's records there first.")] = False,
) -> None:
    """Write to MLflow what it lacks of a life; the mirror can always be rebuilt."""
    from agent.commands.inspect import mirror_life

    raise typer.Exit(0 if mirror_life(home, rebuild=rebuild) else 1)


@app.command()
def report(
    home: Annotated[Path, typer.Argument(metavar="HOME", help="Directory of one agent's life.")] = _DEFAULT_HOME,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The .html file; default: report/index.html in the home.")
    ] = None,
    cold: Annotated[
        Path | None, typer.Option("--cold", metavar="HOME", help="A life without memory on the same tasks.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
    mirror: Annotated[bool, typer.Option("--mirror", help="Write page and figures to MLflow too.")] = False,
) -> None:
    """One HTML page about a life: curves, transfer, motifs, policy, rejections, audits, costs, named figures."""
    from agent.commands.report import write_report
    from selfnas.files import check_output

    if output is not None:
        check_output(output, (".html", ".htm"), force=force)
    write_report(home, output=output, cold=cold, mirror=mirror)


@app.command()
def watch(
    home: Annotated[Path, typer.Argument(metavar="HOME", help="Directory of one agent's life.")],
    task: Annotated[str, typer.Argument(metavar="TASK", help="A task of that life.")],
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA.npz...", help="New examples, oldest first; keys x, y."),
    ],
    base: Annotated[Path, typer.Option(help="Directory that the task's relative path starts from.")] = Path(),
    least: Annotated[int, typer.Option(min=40, help="New examples that a search for a successor needs.")] = 800,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Worker processes; default: one per core.")
    ] = None,
    device: Annotated[str, typer.Option(help="Torch device for training: auto, cpu, cuda, cuda:1, mps.")] = "auto",
    mirror: Annotated[bool, typer.Option(help="Mirror a successor's task to MLflow.")] = True,
) -> None:
    """Follow a past task on new data; search for a successor when a drift is confirmed."""
    from agent.commands.watch import watch_task

    watch_task(home, task, data, base=base, least=least, workers=workers, device=device, mirror=mirror)


@app.command()
def ui(
    home: _Home = _DEFAULT_HOME,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the desk.")] = 5000,
    mlflow_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of MLflow; default: the one after the desk's.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; other machines need another than this.")
    ] = "127.0.0.1",
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="Host name that people type, where it is not the address; repeatable."),
    ] = None,
    author: Annotated[str, typer.Option(help="Who decides, until another name is typed; default: the user.")] = "",
    mlflow: Annotated[bool, typer.Option(help="Start MLflow beside the desk.")] = True,
    sign: Annotated[
        Path | None, typer.Option(help="Private key of the one person who decides at this desk; signs each decision.")
    ] = None,
    beside: Annotated[
        list[Path] | None, typer.Option("--beside", metavar="HOME", help="Another life to compare with; repeatable.")
    ] = None,
) -> None:
    """Open the desk in the browser, where people decide about finalists, and MLflow on the life's records beside it."""
    from agent.commands.ui import serve

    serve(
        home, host=host, port=port, mlflow_port=mlflow_port, names=name or (), author=author, mlflow=mlflow,
        beside=beside or (), sign=sign,
    )  # fmt: skip


@app.command()
def front(
    task: Annotated[str, typer.Argument(help="A task of the life; its latest run is shown.")],
    home: _Home = _DEFAULT_HOME,
    cost: Annotated[str, typer.Option(help="Which recorded cost; default: the first.")] = "",
    time: Annotated[bool, typer.Option("--time", help="Time the front's networks on this machine.")] = False,
    plot: Annotated[Path | None, typer.Option(help="A .png to draw.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
) -> None:
    """Accuracy against a cost that the stream's objective names, and the front."""
    from agent.commands.front import show_front

    picture_file(plot, force=force)
    show_front(home, task=task, cost=cost, time=time, plot=plot)


@motifs.command("list")
def list_motifs(
    home: _Home = _DEFAULT_HOME, task: Annotated[str | None, typer.Option(help="Only of this task.")] = None
) -> None:
    """Every admitted architecture, newest first, the sub-cells mined from winners, and operators composed of them."""
    from agent.commands.motifs import list_sub_cells, show_motifs

    show_motifs(home, task=task)
    list_sub_cells(home)


@motifs.command("show")
def show_motif(
    digest: Annotated[str, typer.Argument(help="The beginning of a digest, as `list` prints it.")],
    home: _Home = _DEFAULT_HOME,
) -> None:
    """One architecture: where it won, its certificate, its audits, its files; or one mined sub-cell, drawn."""
    from agent.commands.motifs import show_motif as show
    from agent.commands.motifs import show_sub_cell

    show(home, digest, optional=show_sub_cell(home, digest))


@motifs.command("revoke")
def revoke_sub_cell(
    digest: Annotated[
        str, typer.Argument(help="The beginning of a sub-cell's or operator's digest, as `list` prints it.")
    ],
    reason: Annotated[str, typer.Option(help="Why; written to the ledger.")],
    home: _Home = _DEFAULT_HOME,
    author: Annotated[str, typer.Option(help="Who decides; default: the user of this session.")] = "",
) -> None:
    """Take a mined sub-cell or composed operator out of use for good; `review overrule` revokes an architecture."""
    from agent.commands.motifs import revoke

    revoke(home, digest, author=author, reason=reason)


@motifs.command("export")
def export_motif(
    digest: Annotated[str, typer.Argument(help="The beginning of a digest, as `list` prints it.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; a .json is put beside it.")],
    home: _Home = _DEFAULT_HOME,
    form: Annotated[
        str, typer.Option("--format", help="pt2: a torch.export program. onnx: an ONNX file; needs the extra `onnx`.")
    ] = "pt2",
    precision: Annotated[
        str, typer.Option(help="Of an ONNX file: float32, or int8 with ranges measured on training examples.")
    ] = "float32",
    task: Annotated[str, typer.Option(help="Only of this task.")] = "",
    refused: Annotated[
        bool, typer.Option("--refused", help="A network that the audits refused; the file says so in name and content.")
    ] = False,
    bare: Annotated[
        bool, typer.Option("--bare", help="The network alone, for prepared examples; needs no data.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
    base: Annotated[Path, typer.Option(help="Directory of the stream file, if its data paths are relative.")] = Path(),
) -> None:
    """Write the trained network as a program that takes raw examples and needs none of this project."""
    from agent.commands.motifs import export

    export(
        home, digest, output, task=task, base=base, refused=refused, bare=bare, force=force, form=form,
        precision=precision,
    )  # fmt: skip


class _Lives:
    """What commands of a lower layer, which cannot read a home, ask of one."""

    def __call__(self, home: Path) -> object:
        """Its library."""
        from agent.commands.motifs import remembered

        return remembered(home)

    def audit(
        self, home: Path, digest: str, *, task: str, suite: str, base: Path, output: Path | None
    ) -> tuple[str, bool]:
        """The audit card of one of its networks, and whether it is admitted."""
        from agent.commands.audit import audit_recorded

        return audit_recorded(home, digest, task=task, suite=suite, base=base, output=output)

    def bound(
        self, home: Path, digest: str, *, task: str, base: Path, number: int, radius: float, output: Path
    ) -> tuple[str, bool]:
        """A certificate of one test example of one of its networks, and whether the answer is proved."""
        from agent.commands.bound import bound_recorded

        return bound_recorded(home, digest, task=task, base=base, number=number, radius=radius, output=output)


def _fail(message: str, code: int) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(code)


def main(*, commands: typer.Typer = app) -> None:
    """Entry point: exit code 0 done, 1 a check failed, 2 misuse or bad input, 130 interrupted.

    Args:
        commands: what is offered; scripts outside the package hand in their own and end alike.
    """
    from selfnas.errors import InputError, SelfnasError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a terminal cannot show is a question mark there
            stream.reconfigure(errors="replace")
    try:
        code = commands(standalone_mode=False, obj=_Lives(), prog_name="selfnas" if commands is app else None)
    except _UsageError as error:
        error.show()
        raise SystemExit(2) from None
    except InputError as error:
        _fail(str(error), 2)
    except SelfnasError as error:
        _fail(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    if code == _INTERRUPTED:  # Typer may have caught the signal itself
        _fail("stopped; what was finished is kept, and the same command goes on from there", _INTERRUPTED)
    raise SystemExit(code if isinstance(code, int) else 0)
