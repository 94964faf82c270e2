"""The engine configured to single cases with known answers: what is left is the case, and nothing beside it.

A configuration says how a case of the literature is put into the model's own words; `test_targets` and the nightly
tests compare its outcome with the printed figures at two sizes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, owens_t
from scipy.stats import binom, poisson

from ladders import ladder, rung
from scenarios.vocabulary import SEGMENTS
from simulator.book import build_book
from simulator.factors import draw_systematic
from simulator.hazards import build_hazards
from simulator.kernels.hazards import fill_entry_intensities
from simulator.parameter_groups import Borrower, Economics, Workout
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from simulator.tape import LoanTape
from small_books import CERTAIN, changed, current_only, equal_loans, macro_at, quiet, run, shipped, tape_of

Floats = NDArray[np.float64]

# --- loans and normals ---------------------------------------------------------------------------------------------


def lasting_loans(count: int, months: int) -> LoanTape:
    """Equal loans of 0 % that mature only after so many months, one more than the deepest arrears, and a year."""
    return equal_loans(count, rate=0.0, current_balance=3_000.0, remaining_term=months + 16)


def both_below(first: float, second: float, correlation: float) -> float:
    """Phi2(first, second; correlation) of thresholds that are not 0, by Owen's T function (Owen 1956)."""
    root = math.sqrt(1.0 - correlation**2)
    tails = owens_t(first, (second / first - correlation) / root) + owens_t(
        second, (first / second - correlation) / root
    )
    apart = 0.5 if first * second < 0.0 else 0.0
    return float(0.5 * (ndtr(first) + ndtr(second)) - tails - apart)


# --- one period, one factor ------------------------------------------------------------------------------------------


def one_factor(probability: float, correlation: float, **changes: object) -> Parameters:
    """Charge-off within a month with that probability, and asset correlation: the Vasicek model (3b)."""
    strength = {"response": "probit", "rho": np.array([correlation]), "shares": (1.0, 0.0, 0.0), "persistence": 0.0}
    return current_only(-math.log1p(-probability), **{**strength, **changes})


def fine_grained(parameters: Parameters, factor: Floats) -> Floats:
    """Share of an infinitely large pool that leaves current badly, float64[tier, value of the factor].

    The kernel's own entry intensity of a cell of each tier, one value of the global factor a month: given the factor
    an infinite pool has no other risk.
    """
    tiers = range(len(parameters.names))
    score = [0.5 * (item.score.low + item.score.high) for item in parameters.sets if item.score]
    book = build_book(tape_of([{"score": score[tier]} for tier in tiers]), parameters)
    months = factor.size
    hazards = build_hazards(book.cells, macro_at(parameters, months), parameters, months, months)
    drawn = np.zeros((1, 1 + len(book.cells.factor_names), months + 1))
    drawn[0, 0, 1:] = factor
    entry = np.zeros((months + 1, len(score)))
    fill_entry_intensities(0, hazards._replace(factor=drawn), np.ones(len(score)), entry, np.zeros(months + 1))
    return -np.expm1(-entry[1:, np.argsort(book.cells.tier)].T)


def drawn_factor(parameters: Parameters, paths: int, seed: int) -> Floats:
    """The engine's global factor of month 1, float64[path], drawn a part of the paths after the other."""
    parts = [
        draw_systematic((), parameters, range(first, min(first + 20_000, paths)), 1, 1, seed=seed).factor[:, 0, 1]
        for first in range(0, paths, 20_000)
    ]
    return np.concatenate(parts)


def two_tiers(
    probability: tuple[float, float], correlation: tuple[float, float], lgd: tuple[float, float]
) -> Parameters:
    """Two tiers on one factor; what is not lost is collected at once, the only cash that a charge-off leaves."""
    base, none = shipped("us_near_prime", "us_subprime"), np.zeros(2)
    intensity = np.zeros((2, 4, 6))
    intensity[:, 0, 4] = -np.log1p(-np.array(probability))
    return changed(
        base,
        intensity=intensity,
        response="probit",
        rho=np.array(correlation),
        sigma=none,
        shares=(1.0, 0.0, 0.0),
        persistence=0.0,
        sensitivity=np.zeros_like(base.sensitivity),
        seasoning=np.ones_like(base.seasoning),
        ltv_coefficient=none,
        pti_coefficient=none,
        borrower=Borrower.neutral(2, 4),
        workout=Workout.neutral(2, 4),
        economics=Economics.neutral(2),
        deficiency_share=1.0 - np.array(lgd),
    )


# --- default and price of the car on one factor (5a), (8a) ----------------------------------------------------------


@dataclass(frozen=True)
class WrongWay:
    """A loan that defaults within a month, and a car whose value then is lognormal.

    Attributes
    ----------
    balance, median : float
        Claim, and median of the car's value, currency.
    market_sd, own_sd : float
        Log standard deviations of the used-car index and of the car's own condition.
    correlation : float
        Between the borrower's assets and the logarithm of the car's value.
    asset_correlation : float
        Share of the variance of assets that is the factor's, rho of (3b).
    """

    probability: float
    balance: float
    median: float
    market_sd: float
    own_sd: float
    correlation: float
    asset_correlation: float

    @property
    def total_sd(self) -> float:
        return math.hypot(self.market_sd, self.own_sd)

    def parameters(self) -> Parameters:
        """The index's innovation follows the factor so closely that assets and values have `correlation`.

        Assets are -(sqrt(rho) Y + ...), the index's part of ln V is market_sd of total_sd: corr = -sqrt(rho) x tie x
        market_sd/total_sd.
        """
        part = self.market_sd / self.total_sd if self.market_sd > 0.0 else 1.0
        return one_factor(
            self.probability,
            self.asset_correlation,
            index_persistence=0.0,
            index_innovation_sd=self.market_sd,
            index_common_share=1.0,
            index_factor_correlation=-self.correlation / (math.sqrt(self.asset_correlation) * part),
            depreciation=np.ones_like(shipped("us_near_prime").depreciation),
            vehicle_sd=np.array([self.own_sd]),
            found_share=np.ones(1),
            sale_lag=np.zeros(1, dtype=np.int64),
            haircut=np.zeros(1),
            cost_fixed=np.zeros(1),
            cost_share=np.zeros(1),
            lgd_floor=np.zeros(1),  # a surplus is the borrower's: the loss is (B - V)+
        )

    def simulate(self, loans: int, paths: int, seed: int) -> xr.Dataset:
        """One month of equal loans without interest whose car was valued in the as-of month."""
        tape = equal_loans(
            loans,
            origination_date=np.datetime64("2024-12"),
            current_balance=self.balance,
            original_balance=self.balance,
            rate=0.0,
            amortisation="interest_only",
            value_source="wholesale",
            vehicle_value=self.median * math.exp(0.5 * self.total_sd**2),
        )
        return run(tape, self.parameters(), paths=paths, months=1, seed=seed)

    def expected_loss(self) -> float:
        """E[1_D (B - V)+] = B Phi2(c, k; r) - E[V] Phi2(c - r s, k - s; r), k = ln(B/median)/s."""
        s, r, c = self.total_sd, self.correlation, float(ndtri(self.probability))
        k = math.log(self.balance / self.median) / s
        mean = self.median * math.exp(0.5 * s**2)
        return self.balance * both_below(c, k, r) - mean * both_below(c - r * s, k - s, r)


# --- a pool of finite capacity (P1) -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Queue:
    """Loans that fall behind now and then, cure in the next month, and ask for one contact at the close between.

    The number that asks is binomial in every month, and all but Poisson: nobody carries over.
    """

    demand: float
    capacity: int
    loans: int

    def simulate(self, paths: int, months: int, seed: int) -> xr.Dataset:
        """Run of the queue; served and asked stand in `pool_served` and `pool_demand`, hours of one contact each."""
        intensity = np.zeros((1, 4, 6))
        share = self.demand / self.loans
        intensity[0, 0, 1] = -math.log1p(-share / (1.0 - share))
        intensity[0, 1, 0] = CERTAIN
        phones = ladder(
            rung("phone", pool="agents", hours_per_contact=1), pools={"agents": {"hours_per_month": self.capacity}}
        )
        tape = lasting_loans(self.loans, months)
        return run(tape, quiet(intensity=intensity), paths=paths, months=months, seed=seed, servicing=Servicing(phones))

    def moments(self, months: int) -> tuple[float, float]:
        """Mean and variance of min(N, capacity), averages over the months, for the exact binomial demand."""
        share, asks = self.demand / self.loans, 0.0
        means, squares = [], []
        number = np.arange(math.floor(self.demand + 14.0 * math.sqrt(self.demand)))  # more ask in none of 1e30 months
        served = np.minimum(number, self.capacity)
        for _ in range(months):
            asks = share / (1.0 - share) * (1.0 - asks)
            pmf = binom.pmf(number, self.loans, asks)
            means.append(float(pmf @ served))
            squares.append(float(pmf @ (served - means[-1]) ** 2))
        return float(np.mean(means)), float(np.mean(squares))

    def poisson_mean(self) -> float:
        """E[min(N, C)] = demand F(C - 2) + C (1 - F(C - 1)) of Poisson demand."""
        below = poisson.cdf([self.capacity - 2, self.capacity - 1], self.demand)
        return float(self.demand * below[0] + self.capacity * (1.0 - below[1]))


# --- cars that lose a fixed share a year ----------------------------------------------------------------------------


def loses_a_year(share: float) -> Parameters:
    """Quiet set in which nothing happens and every car loses the same share a year."""
    base = shipped("us_near_prime").depreciation
    curve = (1.0 - share) ** (np.arange(base.shape[-1]) / 12.0)
    return quiet(intensity=np.zeros((1, 4, 6)), depreciation=np.broadcast_to(curve, base.shape).copy())


def loan_to_value(share: float, months: int) -> Floats:
    """LTV of 20,000 at 8 % over 60 months on a new car of 17,000, float64[month 0..months], from the engine's trace."""
    tape = equal_loans(
        1,
        origination_date=np.datetime64("2024-12"),
        original_balance=20_000.0,
        current_balance=20_000.0,
        rate=0.08,
        original_term=60,
        remaining_term=60,
        vehicle_new=True,
        vehicle_value=17_000.0,
        value_source="wholesale",
    )
    results = run(tape, loses_a_year(share), paths=1, months=months, seed=1, trace=["L0000000"])
    balance, value = (results[name].to_numpy()[0, 0, 0, 0, 0] for name in ("trace_balance", "trace_value"))
    return np.asarray(balance / value)


NO_NOISE = {
    "index_innovation_sd": 0.0,
    "index_residual_sd": np.zeros(len(SEGMENTS)),
    "jump_intensity": 0.0,
    "reversion": 0.0,
}
"""Changes of parameters after which used-car prices follow the scenario's path."""
