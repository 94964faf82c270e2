"""A plan as text for the terminal and as data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from outputs.plan import Plan
from outputs.quantities import bytes_text, seconds_text
from outputs.room import Allowance, rounded_down
from scenarios.counted import counted
from scenarios.errors import Fault

INDENT: Final = 30
"""Width of the first column."""

UNCHECKED: Final = "not checked: no limit is set or known"
"""Where the limit is `none`, or the system does not tell what is free."""


def plan_text(plan: Plan, allowed: Allowance | None, folder: Path, free: int | None, faults: Sequence[Fault]) -> str:
    """A plan for the terminal."""
    fits = "The run fits." if allowed is not None else f"The files fit; memory: {UNCHECKED}."
    verdict = [str(fault) for fault in faults] or [fits]
    return "\n".join(
        [
            *_head(plan),
            "",
            *_time(plan),
            "",
            *_memory(plan, allowed),
            "",
            *_output(plan, folder, free),
            "",
            *verdict,
        ]
    )


def _row(label: str, figure: str, note: str = "") -> str:
    return f"{label:<{INDENT}}{figure:>14}{f'   {note}' if note else ''}"


def _head(plan: Plan) -> list[str]:
    study = plan.inputs.study
    names = [scenario.name for scenario in plan.inputs.scenarios]
    own = set(plan.inputs.run_names().values())
    further = {name: paths for name, paths in plan.inputs.runs().items() if name not in own}
    ladders = [servicing.name for servicing in plan.inputs.servicings()]
    return [
        f"Plan of {study.name}{f': {study.title}' if study.title else ''}",
        "",
        _row("loans", f"{len(plan.inputs.tape):,}"),
        _row("paths", f"{study.paths:,}", f"under {', '.join(names)}"),
        *([_row("  strategies", f"{len(ladders)}", ", ".join(ladders))] if len(ladders) > 1 else []),
        *(_row("  further paths", f"{paths:,}", name) for name, paths in further.items()),
        *_draws(plan),
        _row("months", f"{study.months:,}", "and the run-off of what is in default then"),
        _row("threads", f"{plan.size.threads or 1:,}"),
    ]


def _draws(plan: Plan) -> list[str]:
    spec = plan.inputs.study.uncertainty
    return [] if spec is None else [_row("draws of the parameters", f"{spec.draws:,}", "each arranges the book anew")]


def _time(plan: Plan) -> list[str]:
    span, rehearsal = plan.span, plan.rehearsal
    paths = sum(rehearsal.inputs.runs().values())
    measured = f"from {counted(paths, 'path')} of this book on this machine, {seconds_text(rehearsal.seconds)}"
    return [
        _row("time", seconds_text(span.seconds), f"{seconds_text(span.low)} to {seconds_text(span.high)}"),
        _row("  start, book, trial", seconds_text(plan.book)),
        _row("  simulate", seconds_text(plan.simulation.seconds), measured),
        _row("  pictures, report, files", seconds_text(plan.files.seconds), "rehearsed"),
        _row("  compile the kernels", *_compiling(plan)),
    ]


def _compiling(plan: Plan) -> tuple[str, str]:
    kernels = plan.kernels
    if kernels.lasting:
        return "none", f"compiled now in {seconds_text(kernels.seconds)}" if kernels.seconds else "compiled before"
    return seconds_text(kernels.seconds), "more in every run, since compiled kernels are not kept"


def _memory(plan: Plan, allowed: Allowance | None) -> list[str]:
    need = plan.need
    limit = UNCHECKED if allowed is None else f"of {bytes_text(allowed.nbytes)}, {allowed.basis}"
    program = "program and book" if need.told else "program and book, roughly"
    return [
        _row("memory at the peak", bytes_text(need.total), limit),
        _row(f"  {program}", bytes_text(need.program)),
        _row("  results (Dataset)", bytes_text(need.dataset), f"{bytes_text(need.path)} a path, all scenarios"),
        _row("  working memory", bytes_text(need.working), "hardly depends on paths"),
    ]


def _output(plan: Plan, folder: Path, free: int | None) -> list[str]:
    output = plan.files.output
    room = "" if free is None else f"; {bytes_text(free)} are free there"
    return [
        _row("files", bytes_text(output.total), f"in {folder}{room}"),
        _row("  results.nc", bytes_text(output.results)),
        _row("  report, pictures, tables", bytes_text(output.documents)),
    ]


def plan_document(
    plan: Plan, allowed: Allowance | None, folder: Path, free: int | None, faults: Sequence[Fault]
) -> dict[str, Any]:
    """A plan as plain values fit for JSON: bytes, seconds and minutes."""
    study, span, output = plan.inputs.study, plan.span, plan.files.output
    return {
        "schema": "carstress-plan/1",
        "study": study.name,
        "loans": len(plan.inputs.tape),
        "paths": study.paths,
        "scenarios": [scenario.name for scenario in plan.inputs.scenarios],
        "runs": plan.inputs.runs(),
        "months": study.months,
        "threads": plan.size.threads,
        "parameter_draws": None if study.uncertainty is None else study.uncertainty.draws,
        "minutes": _minutes(span.seconds),
        "minutes_low": _minutes(span.low),
        "minutes_high": _minutes(span.high),
        "seconds": {
            "book": round(plan.book, 2),
            "simulation": round(plan.simulation.seconds, 2),
            "files": round(plan.files.seconds, 2),
            "compile_now": round(plan.kernels.seconds, 2),
            "compile_every_run": 0.0 if plan.kernels.lasting else round(plan.kernels.seconds, 2),
        },
        "rehearsal": {"paths": plan.rehearsal.inputs.runs(), "seconds": round(plan.rehearsal.seconds, 2)},
        "memory": _memory_document(plan, allowed),
        "output": {
            "folder": str(folder),
            "bytes": output.total,
            "results_bytes": output.results,
            "documents_bytes": output.documents,
            "free_bytes": free,
        },
        "fits": not faults,
        "faults": [str(fault) for fault in faults],
    }


def _memory_document(plan: Plan, allowed: Allowance | None) -> dict[str, Any]:
    need = plan.need
    return {
        "total_bytes": need.total,
        "program_bytes": need.program,
        "program_is_measured": need.told,
        "dataset_bytes": need.dataset,
        "working_bytes": need.working,
        "bytes_a_path": round(need.path),
        "allowed_bytes": None if allowed is None else allowed.nbytes,
        "allowed_by": None if allowed is None else allowed.basis,
        "most_paths": None if allowed is None else rounded_down(need.most_paths(allowed.nbytes)),
    }


def _minutes(seconds: float) -> float:
    return round(seconds / 60.0, 3)
