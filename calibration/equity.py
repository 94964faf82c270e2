"""Mean effect of negative equity on a baseline book, so that its entry into arrears stays as published.

`python -m calibration.equity` solves the shipped sets that have the section: `mean_multiplier`, by which
the effect is divided, and the `ltv_reference` of loan-to-value at origination, which counts up to the
threshold only where negative equity acts.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.baseline import baseline_book
from calibration.expectation import expected_book
from calibration.library import find_parameter_set, parameter_set_names
from simulator.parameter_set import ParameterSet
from simulator.parameters import Parameters, build_parameters
from simulator.tape import LoanTape
from simulator.tape.tape import loan_to_value

WINDOW_MONTHS = 36
"""Months over which the mean is taken: the default horizon, in which most entries of a seasoned book fall."""

ROUNDS = 20
TOLERANCE = 1e-6


@dataclass(frozen=True)
class EquityFit:
    """What keeps a book's entry as published.

    Attributes
    ----------
    mean_multiplier : float
        Mean effect of negative equity over the loans that could fall behind, weighted by their other risk.
    ltv_reference : float
        Loan-to-value at origination whose multiplier is the book's mean multiplier, counted up to the threshold.
    """

    mean_multiplier: float
    ltv_reference: float


def fit_equity(tape: LoanTape, parameters: Parameters) -> EquityFit:
    """Solve the mean effect of negative equity on a book, in expectation.

    Parameters
    ----------
    tape : LoanTape
        A book of one tier.
    parameters : Parameters
        That tier, with a section `negative_equity`.
    """
    threshold, coefficient = float(parameters.borrower.equity_threshold[0]), float(parameters.ltv_coefficient[0])
    ltv = loan_to_value(tape)
    capped = np.minimum(ltv[np.isfinite(ltv)], threshold)
    reference = float(np.log(np.exp(coefficient * capped).mean()) / coefficient) if coefficient else threshold
    mean = float(parameters.borrower.equity_mean[0])
    for _ in range(ROUNDS):
        found = _mean_multiplier(tape, parameters, mean, reference)
        mean, miss = found, abs(found - mean)
        if miss < TOLERANCE:
            break
    return EquityFit(mean, reference)


def _mean_multiplier(tape: LoanTape, parameters: Parameters, mean: float, reference: float) -> float:
    """Entries over entries without the effect, where the effect is divided by `mean` on the book's own path."""
    borrower = replace(parameters.borrower, equity_mean=np.full_like(parameters.borrower.equity_mean, mean))
    references = np.full_like(parameters.ltv_reference, reference)
    book = expected_book(tape, replace(parameters, borrower=borrower, ltv_reference=references))
    window = slice(1, WINDOW_MONTHS + 1)
    return float(book.entries[window].sum() / book.entries_without_equity[window].sum())


def fit_tier(item: ParameterSet) -> EquityFit:
    """Fit a set on its own baseline book.

    Raises
    ------
    ValueError
        The set has no section `negative_equity`.
    """
    if item.negative_equity is None:
        raise ValueError(f"{item.name} has no section `negative_equity`")
    return fit_equity(baseline_book(item), build_parameters([item]))


def main(names: Sequence[str] = ()) -> None:
    """Write a line a set: shipped and solved mean effect and loan-to-value reference."""
    for name in names or parameter_set_names():
        item = find_parameter_set(name)
        if item.negative_equity is None:
            sys.stdout.write(f"{name}: no section negative_equity\n")
            continue
        fit = fit_tier(item)
        sys.stdout.write(
            f"{name}: mean_multiplier {fit.mean_multiplier:.3f} (shipped "
            f"{item.negative_equity.mean_multiplier.value:g}), ltv_reference {fit.ltv_reference:.3f} (shipped "
            f"{item.covariates.ltv_reference.value:g})\n"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
