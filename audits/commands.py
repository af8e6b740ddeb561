"""`selfnas audits`: each command parses, calls one function, prints. Heavy imports wait until one is run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from selfnas.plugins import in_force

__all__ = ["app"]

app = typer.Typer(
    help="The audit suite: what it measures, what it catches, one network audited.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_Suite = Annotated[str, typer.Option("--suite", help="Name of a shipped suite, or a YAML file.")]


@app.command("list")
def list_audits(suite: _Suite = "baseline") -> None:
    """Every audit of a suite: role, thresholds, cost, what it caught of the planted defects, what it misses."""
    from audits.calibrating.proof import listing
    from audits.verdicts.suite import load_suite

    loaded = load_suite(suite)
    with in_force(*loaded.plugins):
        print(listing(loaded))


@app.command()
def calibrate(
    suite: Annotated[
        str, typer.Argument(metavar="SUITE", help="Name of a shipped suite, or a YAML file.")
    ] = "baseline",
    tasks: Annotated[
        str, typer.Option(help="Which of digits, mnist5k, mnist1d to train on; .npz files work too.")
    ] = "digits,mnist5k,mnist1d",
    choose: Annotated[int, typer.Option(min=1, max=100, help="Seeds for choosing thresholds.")] = 2,
    report: Annotated[int, typer.Option(min=1, max=100, help="Further seeds for the matrix.")] = 4,
    records: Annotated[
        Path | None, typer.Option(help="Keep findings in this file; a calibration that was cut off goes on from it.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The JSON file to write; default: beside the suite.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
) -> None:
    """Train networks that are known to be bad, audit them, and keep the kill matrix beside the suite."""
    import sys

    import torch

    from audits.calibrating.calibration import calibrate as run
    from audits.calibrating.calibration import task_specs
    from audits.calibrating.proof import calibration_file, matrix_table, write_calibration
    from audits.verdicts.suite import load_suite
    from selfnas.files import check_continued, check_output

    if output is not None:
        check_output(output, (".json",), force=force)
    if records is not None:
        check_continued(records)

    torch.set_num_threads(1)
    loaded = load_suite(suite)
    with in_force(*loaded.plugins):
        calibration = run(
            loaded,
            task_specs(tasks.split(",")),
            choose_seeds=range(1, choose + 1),
            report_seeds=range(choose + 1, choose + report + 1),
            base=Path(),
            records=records,
            progress=lambda line: print(line, file=sys.stderr, flush=True),
        )
    path = output or calibration_file(loaded)
    write_calibration(calibration, path)
    print(matrix_table(calibration))
    print(f"written to {path}")


@app.command()
def run(
    context: typer.Context,
    network: Annotated[
        str, typer.Argument(metavar="NETWORK", help="A .pt2 file by torch.export.save; with --home, a digest.")
    ],
    data: Annotated[
        Path | None, typer.Argument(metavar="[DATA.npz]", help="x_train, y_train, x_test, y_test; not with --home.")
    ] = None,
    home: Annotated[
        Path | None, typer.Option("--home", help="Audit a trained network of this life, on its own task's data.")
    ] = None,
    base: Annotated[
        Path, typer.Option("--base", help="With --home: directory of the stream file, if its data paths are relative.")
    ] = Path(),
    suite: Annotated[
        str,
        typer.Option("--suite", help="Name of a shipped suite, or a YAML file; default: baseline, or the run's own."),
    ] = "",
    task: Annotated[
        str, typer.Option(help="Name by which the suite plants nuisances and triggers; default: the data file's stem.")
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the audits' draws; a life has its own.")] = 0,
    standardise: Annotated[
        bool, typer.Option(help="Bring inputs to mean 0 and standard deviation 1 first, as selfnas tasks are.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the card here (Markdown), and figures beside it.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
) -> None:
    """Audit one network: an exported file on your data, or a trained network of a life by its digest.

    In DATA.npz, x_train is what the network was trained on, x_test what it has never seen. Exits with 0 when it is
    admitted, 1 when it is not.
    """
    import torch

    from audits.external.exported import load_exported
    from audits.external.single import audit_file
    from audits.verdicts.suite import load_suite
    from selfnas.errors import InputError
    from selfnas.files import check_output

    if output is not None:
        check_output(output, (".md",), force=force)
    torch.set_num_threads(1)
    if (home is None) == (data is None):
        raise InputError("audits run: need NETWORK.pt2 and DATA.npz, or DIGEST and --home")
    if home is not None:
        lives = context.find_root().obj  # this package knows no homes
        text, admitted = lives.audit(home, network, task=task, suite=suite, base=base, output=output)
    elif data is not None:
        loaded = load_suite(suite or "baseline")
        with in_force(*loaded.plugins):
            text, admitted = audit_file(
                load_exported(Path(network)),
                data,
                loaded,
                title=Path(network).name,
                task=task or data.stem,
                seed=seed,
                standardise=standardise,
                output=output,
                force=force,
            )
    print(text)
    raise typer.Exit(0 if admitted else 1)


@app.command()
def bound(
    context: typer.Context,
    network: Annotated[
        str, typer.Argument(metavar="NETWORK", help="A .pt2 file by torch.export.save; with --home, a digest.")
    ],
    data: Annotated[
        Path | None, typer.Argument(metavar="[DATA.npz]", help="x_train, y_train, x_test, y_test; not with --home.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The JSON file to write; the arrays go beside it, as .npz.")
    ] = Path("bound.json"),
    example: Annotated[int, typer.Option(min=0, help="Number of the test example.")] = 0,
    radius: Annotated[
        float, typer.Option(help="How far each value may move, as a share of the training inputs' range.")
    ] = 0.1,
    home: Annotated[
        Path | None, typer.Option("--home", help="A trained network of this life, on its own task's data.")
    ] = None,
    base: Annotated[
        Path, typer.Option("--base", help="With --home: directory of the stream file, if its data paths are relative.")
    ] = Path(),
    task: Annotated[str, typer.Option(help="With --home: only networks of this task.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace files of these names.")] = False,
) -> None:
    """Write a certificate that one answer of a network holds, however the input moves within a radius.

    `check-bound` proves it again. Exits with 0 when the answer is proved, 1 when it is not.
    """
    import torch

    from audits.external.bounding import bound_example
    from audits.external.exported import load_exported
    from audits.external.single import data_from_file
    from selfnas.errors import InputError
    from selfnas.files import check_output

    check_output(output, (".json",), force=force)
    check_output(output.with_suffix(".npz"), (".npz",), force=force)
    torch.set_num_threads(1)
    if (home is None) == (data is None):
        raise InputError("audits bound: need NETWORK.pt2 and DATA.npz, or DIGEST and --home")
    if home is not None:
        lives = context.find_root().obj  # this package knows no homes
        text, proved = lives.bound(home, network, task=task, base=base, number=example, radius=radius, output=output)
    elif data is not None:
        held = data_from_file(data, task="", standardise=False)
        loaded = load_exported(Path(network))
        text, proved = bound_example(loaded, held.x_train, held.x, example, radius=radius, output=output)
    print(text)
    raise typer.Exit(0 if proved else 1)


@app.command("check-bound")
def check_bound(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A certificate that `audits bound` wrote.")],
) -> None:
    """Prove a certificate of one answer again, with NumPy alone: from the weights, the input and the radius in it.

    Exits with 0 when the answer is proved, 1 when it is not, or when the file says otherwise than its numbers.
    """
    from audits.external.bounding import checked_bound

    text, proved = checked_bound(file)
    print(text)
    raise typer.Exit(0 if proved else 1)
