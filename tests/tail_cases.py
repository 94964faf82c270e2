"""Pools and studies under a method for the tail, as several tests of it need them."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, roots_hermitenorm

from calibration.library import find_parameter_set
from known_cases import Pool
from outputs.wording import measure_label
from scenarios.library import find_study
from scenarios.tail import Tail
from simulator.engine import RunSize, simulate
from simulator.horizon import months_needed
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from simulator.study import StudyInputs, load_inputs
from simulator.tail_pilot import Pilot, Question, run_pilot
from simulator.tail_proposal import Proposal, components, log_weights
from simulator.tape import LoanTape
from small_books import current_only, equal_loans, macro_at, tape_of

Floats = NDArray[np.float64]

SIZE = RunSize(threads=1)


def pool_parameters(probability: float, correlation: float) -> Parameters:
    """Vasicek's model over one month: probit response, one global factor, everything is lost."""
    intensity = -math.log1p(-probability)
    return current_only(intensity, response="probit", rho=np.array([correlation]), shares=(1.0, 0.0, 0.0))


def asked(tape: LoanTape, parameters: Parameters, tail: Tail, *, months: int, seed: int) -> Question:
    """A pilot's question about a book at the reference levels of the macro variables."""
    macro = macro_at(parameters, months_needed(parameters, months))
    return Question(tape, [macro], parameters, Servicing(), months, seed, tail)


def simulate_with(question: Question, pilot: Pilot, paths: int | range) -> xr.Dataset:
    """The question's book on paths from the pilot's proposal."""
    return simulate(
        question.tape,
        question.macros[0],
        question.parameters,
        paths=paths,
        months=question.months,
        seed=question.seed,
        size=SIZE,
        proposal=pilot.proposal,
    )


@cache
def pool_run(pool: Pool, method: str, paths: int, seed: int) -> xr.Dataset:
    """A homogeneous pool over one month under a method for the tail."""
    tail = Tail.model_validate({"method": method})
    parameters = pool_parameters(pool.probability, pool.correlation)
    question = asked(equal_loans(pool.loans), parameters, tail, months=1, seed=seed)
    return simulate_with(question, run_pilot(question, paths, size=SIZE), paths)


def leading(proposal: Proposal, paths: int, seed: int) -> tuple[Floats, Floats]:
    """Leading factor and weight of the first paths."""
    z = components(proposal, range(paths), seed)[:, 0]
    return z, np.exp(log_weights(proposal, z))


def study_of(folder: Path, text: str) -> StudyInputs:
    """A study from its text."""
    file = folder / "study.yaml"
    file.write_text(text, "utf-8")
    return load_inputs(find_study(file), find_parameter_set)


# --- a pool whose losses are known exactly ---------------------------------------------------------------

UNEQUAL = 1 + (7 * np.arange(400)) % 60
"""Balances of 400 loans in whole units, so that a loss has thousands of values and none of weight."""

UNEQUAL_PD, UNEQUAL_CORRELATION = 0.05, 0.15


def unequal_tape() -> LoanTape:
    """The pool as a tape: a unit is 100 of currency; without interest, so that a charge-off is the balance."""
    return tape_of([{"current_balance": 100.0 * units, "rate": 0.0, "remaining_term": 600} for units in UNEQUAL])


def unequal_losses() -> Floats:
    """Probability of each loss in units, float64[units]: characteristic functions given the factor, 100 nodes of it."""
    size = 1 << int(UNEQUAL.sum()).bit_length()
    angle = 2.0 * np.pi * np.fft.rfftfreq(size)
    units, loans = np.unique(UNEQUAL, return_counts=True)
    nodes, masses = roots_hermitenorm(100)
    threshold, root = ndtri(UNEQUAL_PD), math.sqrt(UNEQUAL_CORRELATION)
    total = np.zeros(size)
    for node, mass in zip(nodes, masses / masses.sum(), strict=True):
        share = ndtr((threshold + root * node) / math.sqrt(1.0 - UNEQUAL_CORRELATION))
        steps = 1.0 + share * (np.exp(-1j * np.outer(units, angle)) - 1.0)
        total += mass * np.fft.irfft(np.prod(steps ** loans[:, None], axis=0), size)
    return np.maximum(total, 0.0)


def exact_measures(levels: tuple[float, ...]) -> dict[str, float]:
    """Expected loss, value at risk and expected shortfall of the pool in units, by the labels of reports."""
    probability = unequal_losses()
    losses, reached = np.arange(probability.size), np.cumsum(probability)
    found = {measure_label("expected_loss"): float(probability @ losses)}
    for level in levels:
        quantile = int(np.argmax(reached >= level))
        beyond = float(probability[quantile + 1 :] @ losses[quantile + 1 :])
        shortfall = (beyond + quantile * (reached[quantile] - level)) / (1.0 - level)
        found |= {measure_label("value_at_risk", level): float(quantile)}
        found |= {measure_label("expected_shortfall", level): float(shortfall)}
    return found
