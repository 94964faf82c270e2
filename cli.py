"""The command `carstress`: wires the rooms, holds no arithmetic.

Heavy imports stand inside the commands, so that `--help` answers at once.  Results go to stdout, everything
else to stderr.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outputs.compare_commands import compare
from outputs.console import LIMIT_FAILED, VOICE, Command, end_with, interruptible, progress_bars, reporting
from outputs.plan_commands import MANY, check_room, check_the_book, show_plan, study_options
from outputs.regime_commands import regime
from outputs.run_commands import RUNS, trace
from outputs.scenario_commands import scenario
from outputs.strategy_commands import strategy

if TYPE_CHECKING:
    from simulator.study import StudyInputs
    from simulator.tape import LoanTape

EXIT_CODES = """\b
Exit codes: 0 fine, 1 a declared limit failed, 2 usage, 3 bad input,
4 runtime failure, 5 integrity check failed, 130 interrupted."""


@click.group(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="carstress")
def carstress() -> None:
    """Stress-test a portfolio of loans secured by cars: loan by loan, month by month, on many paths."""


# --- run -----------------------------------------------------------------------------------------------


@carstress.command(epilog=EXIT_CODES)
@study_options
@click.option("--force", is_flag=True, help="Replace an earlier run in that folder.")
@reporting
def run(
    study: str,
    paths: int | None,
    seed: int | None,
    threads: int | None,
    out: Path | None,
    memory_limit: int | None,
    force: bool,
) -> None:
    """Run STUDY: a study file, a shipped study's name (default if left out), or an earlier run's folder or results.nc.

    Simulates the book loan by loan and month by month, under every scenario on the same draws, writes dataset, tables,
    pictures, report and manifest into one folder, and prints EL, SD, VaR and ES with their Monte Carlo errors.
    """
    from outputs.incident_limits import check_incidents
    from outputs.limits import check_limits
    from outputs.measures import summary
    from outputs.publish import publish_run, run_record
    from outputs.store import check_destination
    from outputs.strategies_view import compared
    from outputs.terminal import further_lines, measures_document, strategies_document, study_warnings
    from outputs.wording import format_summary
    from simulator.engine import RunSize, available_cores
    from simulator.study import run_study
    from simulator.tape import load_summary

    started = time.time()
    inputs = study_inputs(study, memory_limit).with_run(paths=paths, seed=seed)
    folder = out or RUNS / inputs.study.name
    check_destination(folder, force=force)
    announce(inputs)
    size = RunSize(threads=threads or available_cores())
    check_room(inputs, size, folder, memory_limit)
    with progress_bars(inputs.runs()) as advance:
        results = interruptible(lambda: run_study(inputs, size=size, progress=advance))
    VOICE.say("Writing dataset, pictures and report ...")
    limits, conduct = check_limits(results, inputs.study.limits), check_incidents(results, inputs.strategies)
    record = run_record(["carstress", *sys.argv[1:]], started, size)
    files = publish_run(folder, inputs, results, limits, force=force, run_record=record)
    found = compared(results)
    document = {
        "schema": "carstress-run/1",
        "folder": str(folder.absolute()),
        "files": [str(path) for path in files],
        "tape": load_summary(inputs.tape.report),
        **measures_document(results, limits, inputs),
        "strategies": strategies_document(found, conduct),
        "incident_limits": [limit.record() for limit in conduct],
        "seconds": round(time.time() - started, 1),
    }
    told = [format_summary(summary(results), results), *study_warnings(inputs), *further_lines(results, found)]
    VOICE.report("\n".join([*told, *map(str, (*limits, *conduct)), "", f"Results: {folder}/  (report.html)"]), document)
    if not (all(limit.passed for limit in limits) and all(limit.passed for limit in conduct)):
        raise click.exceptions.Exit(LIMIT_FAILED)


@carstress.command(epilog=EXIT_CODES)
@study_options
@reporting
def plan(
    study: str,
    paths: int | None,
    seed: int | None,
    threads: int | None,
    out: Path | None,
    memory_limit: int | None,
) -> None:
    """Forecast what `carstress run STUDY` takes, with its options but --force: minutes, memory, files. Nothing is kept.

    Reads the book, runs some paths of every scenario on this machine, and rehearses pictures, report and files in a
    folder that is removed. Says whether the run fits, and if not, what would.
    """
    from outputs.run_folder import check_destination
    from simulator.engine import RunSize, available_cores

    started = time.perf_counter()
    inputs = study_inputs(study, memory_limit).with_run(paths=paths, seed=seed)
    folder = out or RUNS / inputs.study.name
    check_destination(folder, force=True)  # an earlier run there is no fault of a plan
    seconds = time.perf_counter() - started
    announce(inputs)
    size = RunSize(threads=threads or available_cores())
    show_plan(inputs, size, folder, memory_limit, seconds)


def study_inputs(reference: str, memory_limit: int | None = None) -> StudyInputs:
    """Read a study by name or path, or take it from an earlier run's file; a book that does not fit is not drawn."""
    from calibration.library import find_parameter_set
    from outputs.run_folder import RESULTS
    from outputs.store import read_inputs
    from scenarios.library import find_study, library_names
    from scenarios.shelf import SUFFIXES
    from simulator.study import inputs_from_store, load_inputs

    path = Path(reference)
    named = path.suffix in SUFFIXES or reference in library_names("studies")
    if path.suffix == ".nc" or (not named and path.is_dir()):
        return inputs_from_store(read_inputs(path), path / RESULTS if path.is_dir() else path)
    study = find_study(reference)
    check_the_book(study, memory_limit)
    return load_inputs(study, find_parameter_set)


def announce(inputs: StudyInputs) -> None:
    """Say what is about to run, and what the tape's report says."""
    from scenarios.counted import counted

    study, tape = inputs.study, inputs.tape
    for line in tape.report.lines(tape.currency):
        VOICE.say(line)
    names = ", ".join(scenario.name for scenario in inputs.scenarios)
    counts = ((len(tape), "loan"), (study.paths, "path"), (study.months, "month"))
    size = " x ".join(counted(*count) for count in counts)
    VOICE.say(f"{size} under {names}")


# --- portfolio -----------------------------------------------------------------------------------------


@carstress.group()
def portfolio() -> None:
    """Draw, import and describe loan tapes."""


def loan_file(command: Command) -> Command:
    """Argument and options of a command that reads a loan file."""
    forms = click.Choice(["canonical", "reg_ab", "reg_ab_xml", "esma_annex5", "cn_labels"])
    meaning = (
        "canonical: our columns or a mapping's; reg_ab: the SEC's asset-level fields as a flat file; reg_ab_xml: "
        "the SEC's filing itself; esma_annex5: ESMA's template for automobiles; cn_labels: columns in Chinese."
    )
    date = "Reporting date whose rows are read, of a file that holds several, YYYY-MM-DD."
    mapping = "Mapping, a file or a shipped name: column names, units, code lists."
    command = click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help=date)(command)
    command = click.option("--mapping", help=mapping)(command)
    command = click.option("--format", "form", type=forms, default="canonical", show_default=True, help=meaning)(
        command
    )
    return click.argument("file", type=click.Path(path_type=Path, readable=False))(command)


@portfolio.command()
@click.option("--parameters", default="us_near_prime", show_default=True, help="Parameter set that describes the book.")
@click.option("--loans", type=MANY, default=10_000, show_default=True, help="Number of loans.")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), required=True, help="Seed of the draw.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Reporting date, YYYY-MM-DD.")
@click.option("--minimum-remaining-term", type=click.IntRange(1, 180), help="Keep loans with so many months to go.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File to write: .csv or .parquet.")
@click.option("--force", is_flag=True, help="Replace the file.")
@reporting
def synth(
    parameters: str,
    loans: int,
    seed: int,
    as_of: Any,
    minimum_remaining_term: int | None,
    out: Path,
    force: bool,
) -> None:
    """Draw a synthetic book and write it as a canonical tape."""
    from calibration.library import find_parameter_set
    from scenarios.schema import Synthetic
    from simulator.study import draw_tape
    from simulator.tape.write import check_target

    check_target(out, force=force)
    wish = Synthetic(loans=loans, seed=seed, as_of=as_of.date(), minimum_remaining_term=minimum_remaining_term)
    tape = draw_tape(wish, find_parameter_set(parameters))
    save_tape(tape, out, force=force)


@portfolio.command("import")
@loan_file
@click.option("--strict", is_flag=True, help="Refuse the file if one row is rejected.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File to write: .csv or .parquet.")
@click.option("--force", is_flag=True, help="Replace the file.")
@reporting
def import_tape(file: Path, form: str, mapping: str | None, as_of: Any, strict: bool, out: Path, force: bool) -> None:
    """Read FILE, report what was rejected, and write the rest as a canonical tape."""
    from simulator.tape.write import check_target

    check_target(out, force=force)
    tape = read_loans(file, form, mapping, as_of, strict=strict)
    save_tape(tape, out, force=force)


@portfolio.command()
@loan_file
@reporting
def describe(file: Path, form: str, mapping: str | None, as_of: Any) -> None:
    """Describe the loans of FILE: balances, averages, cuts, arrears, and what was rejected."""
    from simulator.tape import describe_tape, format_description

    tape = read_loans(file, form, mapping, as_of)
    description = describe_tape(tape)
    text = "\n".join([*tape.report.lines(tape.currency), "", format_description(description)])
    VOICE.report(text, description | {"load_report": tape.report.to_dict()})


def read_loans(file: Path, form: str, mapping: str | None, as_of: Any, *, strict: bool = False) -> LoanTape:
    """Read a loan file."""
    from simulator.tape import read_tape

    date = None if as_of is None else as_of.date()
    return read_tape(file, form, mapping, strict=strict, as_of=date)  # type: ignore[arg-type] # click checked the choice


def save_tape(tape: LoanTape, out: Path, *, force: bool) -> None:
    """Write a tape and report on it."""
    from scenarios.counted import counted
    from simulator.tape import write_tape

    write_tape(tape, out, force=force)
    lines = [*tape.report.lines(tape.currency), f"{counted(len(tape), 'loan')} written to {out}"]
    document = {"schema": "carstress-tape/1", "file": str(out), "load_report": tape.report.to_dict()}
    VOICE.report("\n".join(lines), document)


# --- scenarios, strategies, regimes, traces, comparisons, parameters --------------------------------------


carstress.add_command(scenario)
carstress.add_command(strategy)
carstress.add_command(regime)
carstress.add_command(trace)
carstress.add_command(compare)


@carstress.group()
def parameters() -> None:
    """List and show parameter sets."""


@parameters.command("list")
@reporting
def list_parameters() -> None:
    """List the shipped parameter sets."""
    from calibration.library import find_parameter_set, parameter_set_names

    found = map(find_parameter_set, parameter_set_names())
    VOICE.table([{"name": item.name, "currency": item.currency, "title": item.title} for item in found])


@parameters.command("show")
@click.argument("name")
@reporting
def show_parameters(name: str) -> None:
    """Show parameter set NAME: a shipped name or a file, every number with its source."""
    from calibration.library import PARAMETER_SETS, find_parameter_set

    found = find_parameter_set(name)
    text = PARAMETER_SETS.find(name, None, "parameters").text
    VOICE.report(text.rstrip(), found.model_dump(mode="json"))


# --- files ---------------------------------------------------------------------------------------------


@carstress.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False))
@reporting
def validate(files: tuple[Path, ...]) -> None:
    """Check FILES of every kind, with all that they name.

    Studies, scenarios, parameter sets, collection strategies, rules of contact, regimes, mappings and profiles of
    books. All faults of a file's fields are reported; whether a strategy keeps the rules of contact that it names, and
    what a study needs of other files, is looked at once its own fields are sound. Exit code 3 if there is a fault.
    """
    from calibration.library import find_parameter_set
    from scenarios.errors import Fault, InputError
    from simulator.kinds import check_file

    faults: list[Fault] = []
    for file in files:
        try:
            check_file(file, find_parameter_set)
        except InputError as error:
            faults.extend(error.faults)
    if faults:
        if VOICE.as_json:
            document = {"schema": "carstress-validate/1", "faults": [str(fault) for fault in faults]}
            click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        raise InputError(faults)
    VOICE.report("\n".join(f"{file}: fine" for file in files), {"schema": "carstress-validate/1", "faults": []})


@carstress.command()
def schema() -> None:
    """Print the JSON Schema of all kinds of YAML file, for completion and checks in an editor."""
    from scenarios.load import json_schema
    from simulator.kinds import ALL_KINDS

    click.echo(json.dumps(json_schema(ALL_KINDS), indent=2, ensure_ascii=False))


@carstress.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@reporting
def init(folder: Path) -> None:
    """Write a commented study that runs, and a scenario of its own, into FOLDER."""
    from outputs.run_folder import write_new_files
    from scenarios.library import init_files

    texts = {folder / name: text for name, text in init_files().items()}
    write_new_files(texts)
    written = "\n".join(f"wrote {path}" for path in texts)
    text = f"{written}\nNext: carstress run {folder / 'study.yaml'}"
    VOICE.report(text, {"files": [str(path) for path in texts]})


@carstress.command()
@click.option(
    "--parameters",
    "names",
    multiple=True,
    default=("us_near_prime", "us_prime"),
    show_default=True,
    help="Parameter set of the book; give it again for another job.",
)
@click.option("--loans", type=MANY, default=100_000, show_default=True, help="Number of loans.")
@click.option("--months", type=click.IntRange(1, 120), default=60, show_default=True, help="Horizon.")
@click.option("--paths", type=MANY, default=64, show_default=True, help="Number of paths.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Worker threads; all cores if not given.")
@click.option("--strategy", "strategies", multiple=True, help="Collection strategy, shipped or a file; again for more.")
@reporting
def bench(names: tuple[str, ...], strategies: tuple[str, ...], **size: int | None) -> None:
    """Time the reference jobs: loans with at least MONTHS to go, one scenario, on this machine."""
    from calibration.library import find_parameter_set
    from scenarios.library import find_scenario, find_strategy
    from simulator.bench import time_jobs

    sets, ladders = [find_parameter_set(name) for name in names], [find_strategy(name) for name in strategies]
    found = interruptible(lambda: time_jobs(sets, find_scenario("baseline"), ladders, **size))
    VOICE.report("\n".join(str(each) for each in found), {"jobs": [asdict(each) for each in found]})


def main() -> None:
    """Entry point: run the command and turn every way to fail into its exit code."""
    end_with(carstress, sys.argv[1:])


if __name__ == "__main__":
    main()
