"""Tails of pools on one factor: closed forms, pairs, Euler contributions, what the factor explains."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import xarray as xr
from scipy.special import ndtr, ndtri
from scipy.stats import norm

from known_cases import normal_bound
from outputs import estimators
from outputs.estimators import draw_up_sample
from outputs.measures import LEVELS
from outputs.tail import tail_of
from small_books import equal_loans, run, values
from target_cases import both_below, drawn_factor, fine_grained, one_factor, two_tiers

FALSE_ALARM = 1e-4
"""Chance that a statistical test of this file fails on a fresh seed although all is well, shared among comparisons."""


# --- one period, one factor: infinitely large pool ------------------------------------------------------------------

# PD, rho, (VaR95, ES95, VaR99, ES99, VaR99.9, ES99.9), SD: closed forms of the one-factor model (Vasicek 2002)
FINE_GRAINED = [
    (0.01, 0.03, (0.01909641, 0.02303059, 0.02541397, 0.02935265, 0.03448696, 0.03853116), 0.00480656),
    (0.01, 0.10, (0.02846151, 0.04003333, 0.04679699, 0.05996825, 0.07749737, 0.09263180), 0.00962565),
    (0.02, 0.01, (0.02879662, 0.03176527, 0.03360340, 0.03630015, 0.03975680, 0.04225567), 0.00489302),
    (0.02, 0.05, (0.04183778, 0.05179049, 0.05781298, 0.06788236, 0.08103341, 0.09139377), 0.01140551),
    (0.05, 0.03, (0.08366612, 0.09602916, 0.10365856, 0.11515297, 0.12994779, 0.14078086), 0.01822632),
    (0.05, 0.05, (0.09505920, 0.11315505, 0.12427399, 0.14154526, 0.16387986, 0.18048812), 0.02384256),
    (0.05, 0.10, (0.11790133, 0.14955598, 0.16893592, 0.20016664, 0.24079407, 0.27116189), 0.03482512),
    (0.05, 0.15, (0.13717110, 0.18223306, 0.20988145, 0.25486353, 0.31350591, 0.35652042), 0.04401147),
    (0.10, 0.05, (0.17425358, 0.20083580, 0.21735909, 0.24144221, 0.27229182, 0.29409503), 0.04004378),
]
ASYMPTOTIC_PATHS = 100_000


@cache
def factor_of_many_paths() -> np.ndarray:
    return drawn_factor(one_factor(0.05, 0.05), ASYMPTOTIC_PATHS, seed=21)


@pytest.mark.parametrize(("probability", "rho", "tails", "sd"), FINE_GRAINED)
def test_a_fine_grained_pool_has_the_closed_forms_tails(
    probability: float, rho: float, tails: tuple[float, ...], sd: float
) -> None:
    """The engine's factor and response on 100,000 paths; nine sets of eight comparisons, once in 10,000 seeds."""
    sample = draw_up_sample(fine_grained(one_factor(probability, rho), factor_of_many_paths())[0])
    pairs = [(estimators.mean(sample), probability), (estimators.standard_deviation(sample), sd)]
    for place, level in enumerate(LEVELS):
        pairs.append((estimators.value_at_risk(sample, level), tails[2 * place]))
        pairs.append((estimators.expected_shortfall(sample, level), tails[2 * place + 1]))
    for found, truth in pairs:
        assert abs(found.value - truth) < normal_bound(FALSE_ALARM, 8 * len(FINE_GRAINED)) * found.standard_error


JOINT = {(0.02, 0.05): (5.300856e-4, 0.00663702), (0.05, 0.10): (3.7127891e-3, 0.02553240)}
"""PD and rho to joint PD and default correlation, as printed."""

PAIR_LOANS, PAIR_PATHS = 100, 20_000


@pytest.mark.parametrize(("probability", "rho", "_tails", "sd"), FINE_GRAINED)
def test_pairs_default_together_as_often_as_they_should(
    probability: float, rho: float, _tails: tuple[float, ...], sd: float
) -> None:
    """K (K - 1) over N (N - 1) is the joint PD without bias; nine comparisons, which fail once in 10,000 seeds."""
    c = float(ndtri(probability))
    joint = both_below(c, c, rho)
    assert joint - probability**2 == pytest.approx(sd**2, rel=2e-6)
    printed = JOINT.get((probability, rho))
    if printed:
        correlation = (joint - probability**2) / (probability * (1.0 - probability))
        assert (joint, correlation) == pytest.approx(printed, rel=1e-6)
    results = run(equal_loans(PAIR_LOANS), one_factor(probability, rho), paths=PAIR_PATHS, months=1, seed=22)
    count = values(results, "charge_off_count")[:, 0].astype(np.float64)
    together = count * (count - 1.0) / (PAIR_LOANS * (PAIR_LOANS - 1.0))
    error = together.std() / math.sqrt(PAIR_PATHS)
    assert abs(together.mean() - joint) < normal_bound(FALSE_ALARM, len(FINE_GRAINED)) * error
    assert error < 0.1 * joint


# --- Euler contributions ----------------------------------------------------------------------------------------------


def paths_of(losses: np.ndarray) -> xr.Dataset:
    """What `tail_of` asks of a result: weights and batches of equally likely paths."""
    count = losses.shape[-1]
    return xr.Dataset(coords={"log_weight": ("path", np.zeros(count)), "batch": ("path", np.arange(count))})


def normal_scores(count: int) -> np.ndarray:
    """The normal distribution as `count` equally likely values: nothing random is left."""
    return np.asarray(norm.ppf((np.arange(count) + 0.5) / count))


def contributions(losses: np.ndarray, level: float) -> tuple[float, list[float]]:
    """Expected shortfall of the sum, and the parts' contributions to it; losses float64[part, path]."""
    tail = tail_of(xr.DataArray(losses.sum(axis=0), dims="path"), paths_of(losses), level)
    return tail.shortfall.value, [tail.part(part) for part in losses]


def test_euler_contributions_of_normal_losses() -> None:
    """Three normal losses with their regression on the sum; residuals cancel in pairs of paths with one sum."""
    mean, sd = np.array([100.0, 60.0, 40.0]), np.array([30.0, 25.0, 20.0])
    covariance = np.outer(sd, sd) * np.array([[1.0, 0.3, 0.1], [0.3, 1.0, 0.2], [0.1, 0.2, 1.0]])
    with_sum = covariance.sum(axis=1)
    total = math.sqrt(with_sum.sum())
    assert total == pytest.approx(51.91338941, abs=5e-9)
    scores = normal_scores(100_000)
    centre = mean[:, None] + (with_sum / total)[:, None] * scores
    residual = np.linalg.cholesky(covariance - np.outer(with_sum, with_sum) / total**2 + 1e-9 * np.eye(3))
    noise = residual @ np.random.default_rng(30).standard_normal((3, scores.size))
    noise -= noise.mean(axis=0)  # residuals of a regression on the sum do not move the sum
    losses = np.concatenate([centre + noise, centre - noise], axis=1)
    found = {level: contributions(losses, level) for level in (0.95, 0.99)}
    assert found[0.99][0] == pytest.approx(338.36030368, rel=2e-4)
    assert found[0.99][1] == pytest.approx([160.83746192, 108.77264879, 68.75019297], rel=2e-4)
    assert found[0.95][0] == pytest.approx(307.08241322, rel=2e-4)
    assert found[0.95][1] == pytest.approx([147.08447483, 97.74704733, 62.25089106], rel=2e-4)
    spread = estimators.standard_deviation(draw_up_sample(losses.sum(axis=0))).value
    assert spread / sd.sum() == pytest.approx(0.69217853, rel=2e-4)


def test_euler_contributions_of_two_tiers_on_one_factor() -> None:
    """The engine's response of two tiers, PD .02 and .08, rho .03 and .06, LGD .45 and .60, on a grid of the factor."""
    parameters = two_tiers((0.02, 0.08), (0.03, 0.06), (0.45, 0.60))
    shares = fine_grained(parameters, normal_scores(200_000))
    losses = np.array([0.7 * 0.45, 0.3 * 0.60])[:, None] * shares
    found, parts = contributions(losses, 0.99)
    assert found == pytest.approx(0.0563039734, rel=2e-4)
    assert parts == pytest.approx([0.0167757080, 0.0395282654], rel=2e-4)
    assert contributions(losses, 0.999)[0] == pytest.approx(0.0709195981, rel=5e-4)
    for level, printed in ((0.99, 0.0497668992), (0.999, 0.0647354748)):
        assert estimators.quantile(draw_up_sample(losses.sum(axis=0)), level) == pytest.approx(printed, rel=3e-4)


def test_two_tiers_lose_what_their_terms_say() -> None:
    """LGD .45 and .60 in the engine itself, loan by loan."""
    parameters = two_tiers((0.02, 0.08), (0.03, 0.06), (0.45, 0.60))
    tape = equal_loans(400, score=np.repeat([640.0, 600.0], 200), rate=0.0, amortisation="interest_only")
    results = run(tape, parameters, paths=200, months=1, seed=31)
    lost, gone = (results[name].to_numpy()[0, 0, 0] for name in ("loss_by_tier", "charge_off_by_tier_mean"))
    assert results["tier"].to_numpy().tolist() == ["us_near_prime", "us_subprime"]
    assert lost.mean(axis=0) / gone.sum(axis=0) == pytest.approx([0.45, 0.60], rel=1e-12)


# --- what a control variate could save -----------------------------------------------------------------------------


@pytest.mark.parametrize(("loans", "paths", "r_squared"), [(100, 20_000, 0.46683), (1_000, 10_000, 0.89750)])
def test_how_much_of_a_pools_loss_its_factor_explains(loans: int, paths: int, r_squared: float) -> None:
    """Share of the variance of defaults, PD .03 and rho .05, that the mean given the factor explains, by Fisher's z.

    Two comparisons, which fail once in 10,000 seeds. Fisher's error holds for normal pairs; the skew of the conditional
    mean (kurtosis about 5) widens it, hence half as much again.
    """
    results = run(equal_loans(loans), one_factor(0.03, 0.05), paths=paths, months=1, seed=32)
    factor = results["global_factor"].to_numpy()[:, 0]
    conditional = ndtr((ndtri(0.03) + math.sqrt(0.05) * factor) / math.sqrt(0.95))
    found = float(np.corrcoef(values(results, "charge_off_count")[:, 0], conditional)[0, 1])
    gap = math.atanh(found) - math.atanh(math.sqrt(r_squared))
    assert abs(gap) * math.sqrt(paths - 3) < 1.5 * normal_bound(FALSE_ALARM, 2)
