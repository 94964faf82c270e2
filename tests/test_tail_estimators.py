"""Estimators of weighted paths: strata, scrambles, effective paths, and intervals that mind skewness."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from scipy.special import ndtr, ndtri, stdtrit

from outputs import estimators
from outputs.estimators import Ties, Z, draw_up_sample
from outputs.measures import exceedance_curve, path_loss, sample_of, ties
from outputs.tail import tail_of
from outputs.tail_view import has_method, plain_paths, tail_document, tail_lines, tail_table, thin_tails, with_measures
from outputs.weighted import weighted_summary
from sample_results import sample_results
from simulator.tail_proposal import log_ratio, mixture_normal
from strategy_samples import LADDERS, strategy_results

SEED = 12


# --- strata (T5) -----------------------------------------------------------------------------------------


def stratified(count: int = 600) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(SEED)
    stratum = np.arange(count) % 6
    return stratum + random.normal(size=count), np.log(1.0 + stratum), stratum


def test_what_strata_explain_is_no_error() -> None:
    """Equal weights within strata: the textbook's variance of a stratified mean, but for the divisors."""
    values, log_weight, stratum = stratified()
    sample = draw_up_sample(values, log_weight, ties=Ties(stratum=stratum))
    share = (1.0 + np.arange(6)) / 21.0
    variance = sum(share[item] ** 2 * values[stratum == item].var() / 100.0 for item in range(6))
    found = estimators.mean(sample)
    assert found.value == pytest.approx(sum(share[item] * values[stratum == item].mean() for item in range(6)))
    assert found.standard_error == pytest.approx(math.sqrt(variance * 600.0 / 594.0), rel=1e-12)
    assert found.standard_error < 0.7 * estimators.mean(draw_up_sample(values, log_weight)).standard_error


def test_a_figure_that_strata_know_has_no_error() -> None:
    values, log_weight, stratum = stratified()
    sample = draw_up_sample(stratum.astype(float), log_weight, ties=Ties(stratum=stratum))
    assert estimators.mean(sample).standard_error == pytest.approx(0.0, abs=1e-15)
    assert plain_paths(sample, sample.value - 3.0) > 1e12 or math.isnan(plain_paths(sample, sample.value - 3.0))
    assert len(values) == 600


# --- scrambles -------------------------------------------------------------------------------------------


def scrambled(paths: int = 320) -> xr.Dataset:
    """A result whose paths are points of 16 scrambles."""
    plain = sample_results(n_paths=paths)
    return plain.assign_coords(batch=("path", np.arange(paths) % 16))


def test_errors_of_scrambles_are_students() -> None:
    dataset = scrambled()
    losses = path_loss(dataset)[0, 0, 0]
    sample = sample_of(losses, dataset)
    assert (sample.shared, sample.n_batches) == (True, 16)
    assert sample.z == pytest.approx(float(stdtrit(15, 0.975)))
    found = estimators.mean(sample)
    means = losses.to_numpy().reshape(-1, 16).mean(axis=0)
    assert found.standard_error == pytest.approx(means.std(ddof=1) / 4.0, rel=1e-9)
    assert found.high - found.value == pytest.approx(sample.z * found.standard_error)
    shortfall = estimators.expected_shortfall(sample, 0.95)
    assert shortfall.high - shortfall.value == pytest.approx(shortfall.value - shortfall.low)


def test_paths_of_a_scramble_count_each() -> None:
    """They keep apart, so a tail of twenty paths is worth twenty; paths that share drawn parameters count as one."""
    dataset = scrambled(400)
    sample = sample_of(path_loss(dataset)[0, 0, 0], dataset)
    assert estimators.effective_paths_beyond(sample, 0.95) == pytest.approx(20.0, abs=1.0)
    drawn = dataset.assign_coords(parameter_draw=("path", np.arange(400) % 16))
    assert estimators.effective_paths_beyond(sample_of(path_loss(drawn)[0, 0, 0], drawn), 0.95) <= 16.0
    assert ties(sample_results(n_paths=10)).shared is False


def test_the_mixture_of_scenarios_keeps_batches_and_strata() -> None:
    """Two equal scenarios are one: the mixture's error is the scenario's own."""
    dataset = scrambled()
    log_weight, stratum = 0.1 * np.arange(320) % 3.0, np.arange(320) % 5
    dataset = dataset.assign_coords(log_weight=("path", log_weight), stratum=("path", stratum))
    twice = xr.concat(
        [dataset.isel(scenario=[0])] * 2, "scenario", data_vars="minimal", coords="minimal", compat="override"
    )
    twice = twice.assign_coords(scenario=["one", "two"], scenario_weight=("scenario", [0.3, 0.7]))
    mixture = weighted_summary(twice)
    single = estimators.mean(sample_of(path_loss(twice).sel(scenario="one")[0, 0], twice))
    assert mixture["value"].iloc[0] == pytest.approx(single.value, rel=1e-12)
    assert mixture["standard_error"].iloc[0] == pytest.approx(single.standard_error, rel=1e-9)


# --- effective paths -------------------------------------------------------------------------------------


def test_effective_paths_above_each_loss() -> None:
    random = np.random.default_rng(SEED)
    sample = draw_up_sample(random.normal(size=50), random.normal(size=50))
    found = estimators.effective_paths_above(sample)
    for place in range(50):
        rest = sample.weight[place + 1 :]
        assert found[place] == pytest.approx(rest.sum() ** 2 / (rest**2).sum() if rest.size else 0.0)
    equal = estimators.effective_paths_above(draw_up_sample(random.normal(size=50)))
    np.testing.assert_allclose(equal, np.arange(49, -1, -1))


def test_an_exceedance_curve_marks_what_few_weights_carry() -> None:
    """Forty paths lie above the loss at which one path of large weight takes over: the curve is unreliable there."""
    dataset = sample_results(n_paths=200)
    run = {"scenario": str(dataset["scenario"].values[0]), "strategy": "reference", "programme": "none"}
    losses = path_loss(dataset).sel(run).to_numpy()
    heavy = np.where(losses == losses.max(), 5.0, 0.0)
    curve = exceedance_curve(dataset.assign_coords(log_weight=("path", heavy)), run)
    plain = exceedance_curve(dataset, run)
    assert plain["unreliable"].sum() == 10
    assert curve["unreliable"].sum() > 150


# --- intervals -------------------------------------------------------------------------------------------


def test_an_influence_without_skewness_has_the_normal_interval() -> None:
    values = np.concatenate((-np.arange(1.0, 101.0), np.arange(1.0, 101.0)))
    sample = draw_up_sample(values)
    found = estimators.unskewed(0.0, sample, sample.value)
    error = estimators.standard_error(sample, sample.value)
    assert (found.low, found.high) == pytest.approx((-Z * error, Z * error), rel=1e-9)


def test_halls_interval_is_that_of_the_paper() -> None:
    """g(T) = T + c T^2 / 3 + c^2 T^3 / 27 + c / 6 is the normal quantile at either end."""
    values = np.random.default_rng(SEED).exponential(size=60)
    sample = draw_up_sample(values)
    influence = sample.value - values.mean()
    found = estimators.unskewed(values.mean(), sample, influence)
    skewness = (influence**3).sum() / (influence**2).sum() ** 1.5
    for end, quantile in ((found.low, Z), (found.high, -Z)):
        t = (values.mean() - end) / found.standard_error
        assert t + skewness * t**2 / 3.0 + skewness**2 * t**3 / 27.0 + skewness / 6.0 == pytest.approx(quantile)
    assert found.high - values.mean() > values.mean() - found.low


def coverage(draw: object, exact: float, level: float, repeats: int) -> tuple[float, float]:
    """Share of repeats whose interval of the shortfall covers it: ours, and the symmetric one."""
    hits = np.zeros(2)
    for _ in range(repeats):
        sample = draw()  # type: ignore[operator]
        found = estimators.expected_shortfall(sample, level)
        half = Z * found.standard_error
        hits += found.low <= exact <= found.high, found.value - half <= exact <= found.value + half
    return tuple(hits / repeats)


def test_intervals_of_small_tails_cover_as_often_as_they_say() -> None:
    """Exponential losses, twenty paths beyond the quantile: 2,000 repeats within 94 and 96 % but for chance.

    The bound is 2.5 binomial errors around 94 and 96 %; the symmetric interval misses it by far.
    """
    random = np.random.default_rng(SEED)
    slack = 2.5 * math.sqrt(0.05 * 0.95 / 2000.0)
    mine, symmetric = coverage(lambda: draw_up_sample(random.exponential(size=400)), 1.0 + math.log(20.0), 0.95, 2000)
    assert 0.94 - slack < mine < 0.96 + slack
    assert symmetric < 0.93


def test_intervals_of_shifted_paths_cover_as_often_as_they_say() -> None:
    """A lognormal loss of which a factor explains nine tenths, 1,000 shifted paths, ES 99.9 %; bounds as above."""
    random, beta, tau, size = np.random.default_rng(SEED), math.sqrt(0.9), math.sqrt(0.1), 0.4
    slack = 2.5 * math.sqrt(0.05 * 0.95 / 2000.0)

    def draw() -> estimators.Sample:
        z = mixture_normal(random.normal(size=1000), 2.95, 0.2)
        loss = np.exp(size * (beta * z + tau * random.normal(size=1000)))
        return draw_up_sample(loss, log_ratio(z, 2.95, 0.2))

    exact = math.exp(0.5 * size**2) * ndtr(size - ndtri(0.999)) / 0.001
    mine, _ = coverage(draw, exact, 0.999, 2000)
    assert 0.94 - slack < mine < 0.96 + slack


# --- what readers see ------------------------------------------------------------------------------------


def test_plain_paths_are_worth_themselves() -> None:
    sample = draw_up_sample(np.random.default_rng(SEED).normal(size=1000))
    assert plain_paths(sample, sample.value - sample.value.mean()) == pytest.approx(999.0)


def test_parts_of_a_shortfall_mind_the_weights_beside_the_quantile() -> None:
    """Beside the quantile heavy paths lose nothing of a part, light ones all of it: the heavy ones say what it is."""
    dataset = sample_results(n_paths=400)
    values = xr.DataArray(np.arange(400.0), dims="path")
    heavy = np.arange(400) % 2 == 0
    weighted = dataset.assign_coords(log_weight=("path", np.where(heavy, 0.0, -12.0)))
    tail = tail_of(values, weighted, 0.9)
    beside = tail.near > 0.0
    assert set(np.round(tail.near[beside], 8)) == {1.0, round(math.exp(-12.0), 8)}
    influence = tail.part_influence(np.where(heavy, 0.0, values.to_numpy()))
    below = influence[:300]
    assert np.abs(below).max() < 1e-2


def test_of_several_strategies_each_figure_and_warning_names_its_own() -> None:
    told = {"tail_method": "shifted", "tail_level": 0.999, "tail_shift": 2.0, "tail_unshifted": 0.2}
    told |= {"tail_pilot_paths": 200, "tail_scrambles": 0, "tail_strata": 8}
    plain = strategy_results(60, 3, ladders={name: LADDERS[name] for name in ("none", "field_first")})
    dataset = plain.assign(pilot_explained=("scenario", [0.5, 0.6])).assign_attrs(told)
    labels = [f"{scenario} / {name}" for scenario in dataset["scenario"].values for name in ("none", "field_first")]
    lines = tail_lines(dataset)
    assert [line.split("  ")[0] for line in "\n".join(lines).split("\n") if "  EL  " in line] == labels
    (warning,) = thin_tails(dataset)
    for label in labels:
        assert f"under {label}" in warning
    document = tail_document(dataset)
    assert list(document["strata_explain"]) == labels
    alone = dataset.isel(strategy=[0])
    assert list(tail_document(alone)["strata_explain"]) == list(alone["scenario"].values)
    assert "none" not in thin_tails(alone)[0]


def test_a_plain_result_has_nothing_to_tell() -> None:
    dataset = sample_results(n_paths=20)
    assert not has_method(dataset)
    assert tail_table(dataset).empty
    assert (tail_lines(dataset), tail_document(dataset), thin_tails(dataset)) == ([], {}, ())
    assert with_measures(dataset) is dataset
