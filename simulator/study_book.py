"""The book of a study: drawn from a description, or read from the tape that the study names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from scenarios.errors import Fault, InputError
from scenarios.library import study_path
from scenarios.schema import FilePortfolio, Study, Synthetic
from scenarios.shelf import is_missing, is_path
from simulator.parameter_set import ParameterSet
from simulator.parameters import build_parameters, seasoned_shares
from simulator.tape import LoanTape, load_layout, profile_names, read_tape, synthetic_tape
from simulator.tape.rejects import refuse_rejects


@dataclass(frozen=True, slots=True)
class Book:
    """The loans of a study, and the files that they were read from."""

    tape: LoanTape
    files: tuple[Path, ...]


def draw_book(study: Study, wish: Synthetic, described: ParameterSet) -> Book:
    """Draw a study's book.

    Raises
    ------
    InputError
        Several sets and none named to describe the book, no profile of the set, or a wish that cannot be met.
    """
    if wish.parameters is None and len(study.parameter_sets) > 1:
        found = f"a book to draw for {len(study.parameter_sets)} parameter sets, none of which is named to describe it"
        remedy = f"Write `parameters: {described.name}` below `synthetic`: its loans belong to that set's tier, mostly."
        raise InputError(Fault(study.where("portfolio", "synthetic"), found, "the set that describes it", remedy))
    if described.name not in profile_names():
        where = study.where("portfolio", "synthetic", *([] if wish.parameters is None else ["parameters"]))
        found = f"no tape profile describes a book of parameter set {described.name}"
        remedy = "Name a shipped set under `portfolio.synthetic.parameters`; `parameters` may still be another."
        raise InputError(Fault(where, found, f"one of {', '.join(profile_names())}", remedy))
    try:
        return Book(draw_tape(wish, described), described.files)
    except InputError as error:
        placed = [(study.where("portfolio", "synthetic", fault.found.split(" = ")[0]), fault) for fault in error.faults]
        raise InputError(replace(fault, where=where) for where, fault in placed) from None


def read_book(study: Study, portfolio: FilePortfolio) -> Book:
    """The tape of a study, and the files that it was read from."""
    faults = _missing_files(study, portfolio)
    if faults:
        raise InputError(faults)
    path, named = study_path(study, portfolio.file), portfolio.mapping or portfolio.format
    where = study.where("portfolio", "file" if portfolio.mapping is None else "mapping")
    layout = load_layout(study_path(study, named) if is_path(named) else named, where)
    tape = read_tape(path, portfolio.format, layout)
    stated = "rejected_at_most_percent" in portfolio.model_fields_set
    where = study.where("portfolio", "rejected_at_most_percent" if stated else "file")
    refuse_rejects(tape.report, path, portfolio.rejected_at_most_percent, where=where, currency=tape.currency)
    return Book(tape, (path, *layout.files))


def _missing_files(study: Study, portfolio: FilePortfolio) -> list[Fault]:
    """Faults of a tape or mapping that is not where the study says."""
    named = {"file": portfolio.file}
    if portfolio.mapping is not None and is_path(portfolio.mapping):
        named["mapping"] = portfolio.mapping
    remedy = "Relative paths start from this file's folder."
    faults = []
    for key, name in named.items():
        path = study_path(study, name)
        if is_missing(path):
            found = f"the file {path} does not exist"
            faults.append(Fault(study.where("portfolio", key), found, "a file", remedy))
    return faults


def draw_tape(wish: Synthetic, described: ParameterSet) -> LoanTape:
    """Synthetic book of one parameter set; its delinquency is the set's seasoned state."""
    parameters = build_parameters([described])
    return synthetic_tape(
        described.name,
        wish.loans,
        seed=wish.seed,
        as_of=wish.as_of,
        bucket_shares=seasoned_shares(parameters, 0),
        bucket_edges=parameters.bucket_edges,
        minimum_remaining_term=wish.minimum_remaining_term,
    )
