"""A simulated study becomes a run's folder: dataset, pictures, tables, report, manifest."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from outputs.arrears import settled_shares
from outputs.caveats import caveats
from outputs.figures import draw_pictures, write_figures
from outputs.incident_limits import check_incidents
from outputs.limits import LimitResult
from outputs.manifest import RunFacts, run_facts
from outputs.report import ReportInputs, write_report
from outputs.run_folder import FIGURES, REPORT, TABLES
from outputs.start_levels import foreign_starts
from outputs.starved_pools import starved_pools
from outputs.store import write_run
from outputs.strategies_view import compared
from outputs.study_view import study_rows
from outputs.tables import write_tables
from outputs.tail_view import thin_tails, with_measures
from outputs.wording import arrears_warnings
from scenarios.history import us_history
from simulator.collateral import HISTORY_CURRENCY
from simulator.engine import RunSize
from simulator.provenance import provenance
from simulator.study import StudyInputs, inputs_to_store
from simulator.tape import describe_tape


def publish_run(
    folder: Path,
    inputs: StudyInputs,
    results: xr.Dataset,
    limits: Sequence[LimitResult] = (),
    *,
    force: bool = False,
    run_record: Mapping[str, Any] | None = None,
) -> tuple[Path, ...]:
    """Write everything that a run leaves behind, whole or not at all.

    Parameters
    ----------
    folder : Path
        Final name of the run's folder.
    inputs, results
        What was run, and what `run_study` returned.
    limits : sequence of LimitResult
        Verdicts on the study's limits.
    force : bool
        Replace an earlier run.
    run_record : mapping, optional
        Wall-clock facts, for the manifest alone.

    Returns
    -------
    tuple of Path
        All files, by name.
    """
    stored = inputs_to_store(inputs)
    results = with_measures(results)
    warnings = (
        *arrears_warnings(results),
        *starved_pools(results),
        *thin_tails(results),
        *foreign_starts(inputs),
        *str(results.attrs["notes"]).splitlines(),
    )
    facts = run_facts(results, stored, inputs.files, warnings)
    document = report_inputs(inputs, results, facts, limits)

    def write_documents(building: Path) -> None:
        write_figures(building / FIGURES, document.pictures)
        write_tables(building / TABLES, document)
        write_report(building / REPORT, document)

    written = write_run(folder, results, stored, facts, force=force, documents=write_documents, run_record=run_record)
    return tuple(sorted(path for path in written.rglob("*") if path.is_file()))


def run_record(command: Sequence[str], started: float, size: RunSize) -> dict[str, Any]:
    """Wall-clock facts of a run that has just been simulated.

    Parameters
    ----------
    command : sequence of str
        Words of the command line.
    started : float
        Seconds since 1970 at the start.
    size : RunSize
        How it was run.
    """
    begin, now = datetime.datetime.fromtimestamp(started, datetime.UTC), datetime.datetime.now(datetime.UTC)
    return {
        "command": list(command),
        "threads": size.threads,
        "started": begin.isoformat(timespec="milliseconds"),
        "simulated": now.isoformat(timespec="milliseconds"),
        "simulation_seconds": round((now - begin).total_seconds(), 1),
    }


def report_inputs(
    inputs: StudyInputs, results: xr.Dataset, facts: RunFacts, limits: Sequence[LimitResult]
) -> ReportInputs:
    """Gather what the report shows."""
    parameters = inputs.parameters()
    rows = provenance(parameters)
    history = us_history() if inputs.tape.currency == HISTORY_CURRENCY else None
    return ReportInputs(
        title=inputs.study.title or inputs.study.name,
        results=results,
        facts=facts,
        pictures=draw_pictures(results, facts.run_id, history, rendered=True),
        load_report=inputs.tape.report,
        provenance=rows,
        assumptions={macro.name: macro.assumptions for macro in inputs.macro_paths()},
        notes=parameters.notes,  # the book's own notes are the run's warnings, at the report's top
        limits=limits,
        incident_limits=check_incidents(results, inputs.strategies),
        comparison=compared(results),
        caveats=caveats(inputs, rows),
        book=describe_tape(inputs.tape),
        study=study_rows(inputs),
        settled=settled_shares(inputs.tape, parameters).tolist(),
    )
