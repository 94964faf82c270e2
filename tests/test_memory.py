"""What a run holds: the Dataset once, beside it nothing that grows with paths; a large book never twice."""

from __future__ import annotations

import datetime
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import xarray as xr

import outputs.portions
import outputs.store
import simulator.tape.tape
from calibration.library import find_parameter_set
from command_line import SMALL_STUDY, files_below
from outputs import balance_sheet, cash, figure_data, income, provision, rates, term_structure, worst
from outputs.publish import publish_run
from outputs.run_folder import RESULTS
from outputs.store import read_inputs
from sample_results import sample_results
from scenarios.library import find_study
from scenarios.schema import Synthetic
from simulator.engine import RunSize
from simulator.study import StudyInputs, draw_tape, inputs_from_store, load_inputs, run_study
from simulator.tape import LoanTape, make_tape, part_of, tape_to_arrays
from simulator.trial import ready_kernels, taken
from tape_samples import HEADER

SIZE = RunSize(threads=1, path_block=64)
UNCERTAIN = "uncertainty: {draws: 4}\nsensitivity_range: false\n"
FEW, MANY = 512, 4_096
"""Paths: of the fewer, each of the draws has as many blocks as are at work at once."""

PUBLISHED: Final = 0.10
"""Of the Dataset, what tables and pictures may hold beside it for each path: a few arrays of one variable each."""


TABLES = (
    figure_data.used_car_fan,
    figure_data.net_loss_fan,
    cash.cash_by_month,
    cash.cash_by_period,
    income.income,
    rates.rates,
    worst.worst_periods,
    balance_sheet.constant_summary,
    provision.credit_loss,
    term_structure.term_structure,
)
"""Tables that work on variables by path and month."""


def inputs_of(folder: Path, text: str, paths: int) -> StudyInputs:
    (folder / "study.yaml").write_text(text.replace("loans: 200", "loans: 40"), "utf-8")
    return load_inputs(find_study(folder / "study.yaml"), find_parameter_set).with_run(paths=paths)


# --- paths -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", ["sensitivity_range: false\n", UNCERTAIN], ids=["plain", "uncertain"])
def test_what_a_simulation_holds_beside_its_dataset_does_not_grow_with_paths(tmp_path: Path, more: str) -> None:
    beside = []
    ready_kernels(inputs_of(tmp_path, SMALL_STUDY + more, FEW), SIZE)
    for paths in (FEW, MANY):
        inputs = inputs_of(tmp_path, SMALL_STUDY + more, paths)
        run_study(inputs.with_run(paths=20), size=SIZE)  # what is kept of the tape is kept already
        found = [_beside(inputs) for _ in range(3)]
        beside.append(min(peak for peak, _ in found))  # chance only adds: garbage that was not yet collected
    grown = beside[1] - beside[0]
    assert grown < 0.01 * (MANY - FEW) / MANY * found[0][1], f"{grown / (MANY - FEW):.0f} bytes a path"


def _beside(inputs: StudyInputs) -> tuple[float, float]:
    """Bytes at the peak of a study beside its Dataset, and the Dataset's."""
    gc.collect()
    results, memory = taken(lambda: run_study(inputs, size=SIZE))
    return memory.peak - results.nbytes, results.nbytes


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"{table.__module__}.{table.__name__}")
def test_what_a_table_holds_of_a_path_is_a_small_part_of_its_dataset(
    table: Callable[[xr.Dataset], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs.portions, "PORTION", 256)
    few, many = (sample_results(paths, 36) for paths in (FEW, MANY))
    table(few)  # what is loaded once is loaded
    beside = [taken(lambda results=results: table(results))[1].peak for results in (few, many)]
    assert (beside[1] - beside[0]) / (MANY - FEW) < PUBLISHED * many.nbytes / MANY


def test_tables_and_pictures_do_not_depend_on_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, results = inputs_of(tmp_path, SMALL_STUDY, 20), sample_results(60, 24)
    publish_run(tmp_path / "whole", inputs, results)
    monkeypatch.setattr(outputs.portions, "PORTION", 7)
    publish_run(tmp_path / "portions", inputs, results)
    whole, portions = files_below(tmp_path / "whole"), files_below(tmp_path / "portions")
    assert whole.keys() == portions.keys()
    assert [name for name in whole if whole[name] != portions[name] and name != "manifest.json"] == []


# --- loans -------------------------------------------------------------------------------------------------------


def drawn(loans: int) -> LoanTape:
    wish = Synthetic(loans=loans, seed=1, as_of=datetime.date(2024, 12, 31))
    return draw_tape(wish, find_parameter_set("us_near_prime"))


def nbytes(tape: LoanTape) -> int:
    return sum(column.nbytes for column in tape.columns.values())


def test_a_book_is_drawn_into_its_columns() -> None:
    drawn(100)
    tape, memory = taken(lambda: drawn(60_000))
    assert memory.kept < 1.05 * nbytes(tape)
    assert memory.peak < 1.5 * nbytes(tape)


def test_texts_are_sorted_by_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, parts = drawn(3_000), drawn(3_000)
    monkeypatch.setattr(simulator.tape.tape, "CODED_ROWS", 131)
    for name in (*HEADER[1:], "loan_id"):
        if name in whole.columns and whole[name].dtype.kind in "UM":
            (names, code), (others, other) = np.unique(whole[name], return_inverse=True), parts.codes(name)
            assert np.array_equal(names, others), name
            assert np.array_equal(code, other), name
    assert parts.codes("region")[1] is parts.codes("region")[1]


def test_a_part_of_a_tape_is_spread_over_it_and_the_whole_is_the_tape_itself() -> None:
    tape = drawn(1_000)
    part = part_of(tape, 10)
    assert part["loan_id"].tolist() == tape["loan_id"][::100].tolist()
    assert not part["rate"].flags.writeable
    assert part_of(tape, 1_000) is tape
    assert part_of(tape, 5_000) is tape


@pytest.mark.parametrize("shuffled", [False, True])
def test_columns_that_are_given_up_make_the_same_tape(shuffled: bool) -> None:
    tape = drawn(500)
    order = np.random.default_rng(1).permutation(500) if shuffled else np.arange(500)
    columns = {name: column[order] for name, column in tape.columns.items()}
    terms = {"as_of": tape.as_of, "currency": tape.currency, "report": tape.report}
    kept = dict(columns)
    assert make_tape(columns, **terms).same_loans(tape)
    assert all(column.flags.writeable for column in columns.values())
    assert make_tape(kept, **terms, consume=True).same_loans(tape)
    assert not kept


def test_a_tape_is_stored_column_by_column_as_it_is_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, results = inputs_of(tmp_path, SMALL_STUDY, 20), sample_results(10, 6)
    publish_run(tmp_path / "once", inputs, results)
    monkeypatch.setattr(outputs.store, "PORTION_BYTES", 1)
    publish_run(tmp_path / "columns", inputs, results)
    folders = [tmp_path / name for name in ("once", "columns")]
    once, columns = (inputs_from_store(read_inputs(folder), folder / RESULTS) for folder in folders)
    assert columns.tape.same_loans(once.tape)
    assert columns.tape.same_loans(inputs.tape)
    assert list(tape_to_arrays(columns.tape)) == list(tape_to_arrays(once.tape))
