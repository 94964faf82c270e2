"""Parameters drawn from their ranges: the draws, the batches, and the nested estimator that takes errors apart."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from scipy.stats import kstest, triang

from calibration.library import PARAMETER_SETS, find_parameter_set
from outputs.measures import summary
from outputs.uncertainty import (
    BAND_COLUMNS,
    largest_by_chance,
    parameter_bands,
    parameter_drivers,
    parameter_variance,
    rank_correlation,
)
from scenarios.errors import InputError
from scenarios.load import spec_from_text
from scenarios.treatment import Uncertainty
from simulator import uncertainty
from simulator.batches import batch_ranges, join_batches, mark_batch, parameter_values
from simulator.parameter_set import ParameterSet
from simulator.parameters import build_parameters
from simulator.provenance import set_provenance
from simulator.uncertainty import (
    UncertainParameter,
    check_uncertainty,
    draw_figures,
    draw_sets,
    longest_lags,
    triangular_quantile,
    uncertain_parameters,
    with_figures,
)

SEED = 11
FALSE_ALARM = 1e-4
EVERYTHING = Uncertainty(draws=20)
TIERS = ("us_prime", "us_subprime")


def only(*names: str) -> Uncertainty:
    return Uncertainty(draws=20, parameters=names)


def sets(*names: str) -> tuple[ParameterSet, ...]:
    return tuple(find_parameter_set(name) for name in names or ("us_near_prime",))


def figure(item: ParameterSet, field: str) -> float:
    return next(row.value for row in set_provenance(item) if row.field == field)


# --- the triangle ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "mode", "high"), [(0.0, 0.3, 1.0), (-2.0, -2.0, 5.0), (1.0, 4.0, 4.0), (-0.6, -0.3, 0.0)]
)
def test_quantiles_of_the_triangle(low: float, mode: float, high: float) -> None:
    shares = np.array([0.0, 1e-9, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0])
    known = triang((mode - low) / (high - low), loc=low, scale=high - low).ppf(shares)
    found = [triangular_quantile(float(u), low, mode, high) for u in shares]
    np.testing.assert_allclose(found, known, rtol=1e-12, atol=1e-12)


def test_a_range_without_width_is_its_value() -> None:
    assert triangular_quantile(0.7, 2.0, 2.0, 2.0) == 2.0


def test_draws_follow_the_triangle() -> None:
    """Kolmogorov-Smirnov over 20,000 batches; a fresh seed fails about once in 10,000."""
    each = UncertainParameter("a.b", 0, "b", 0.3, 0.1, 0.9, whole=False)
    found = [draw_figures([each], batch, 0, SEED)[0]["b"] for batch in range(20_000)]
    assert kstest(found, triang(0.25, loc=0.1, scale=0.8).cdf).pvalue > FALSE_ALARM


def test_whole_numbers_reach_both_ends_of_their_range() -> None:
    each = UncertainParameter("a.b", 0, "b", 2.0, 1.0, 4.0, whole=True)
    found = [draw_figures([each], batch, 0, SEED)[0]["b"] for batch in range(2_000)]
    known = np.diff(triang(0.375, loc=0.5, scale=4.0).cdf([0.5, 1.5, 2.5, 3.5, 4.5]))
    share = np.bincount(np.array(found, dtype=int), minlength=5)[1:] / len(found)
    # Five standard errors of a share: a false alarm in fewer than 1 of 100,000 seeds.
    assert np.all(np.abs(share - known) < 5.0 * np.sqrt(known * (1.0 - known) / len(found)))


# --- what is drawn ---------------------------------------------------------------------------------------


def test_every_figure_with_a_range_that_acts_is_drawn_under_the_reports_name() -> None:
    (item,) = sets()
    listed = [f"{item.name}.{row.field}" for row in set_provenance(item) if row.range is not None and row.acts]
    assert [each.name for each in uncertain_parameters([item], EVERYTHING)] == listed
    assert not any("published" in name for name in listed)


def test_a_section_stands_for_all_its_figures() -> None:
    found = {each.field for each in uncertain_parameters(sets(), only("sale", "systematic.correlation"))}
    assert {field.partition(".")[0] for field in found} == {"sale", "systematic"}
    assert {field for field in found if field.startswith("systematic")} == {"systematic.correlation"}
    sensitivity = uncertain_parameters(sets(), only("macro_sensitivity[enter, unemployment]"))
    assert [each.field for each in sensitivity] == ["macro_sensitivity[enter, unemployment].per_percentage_point"]


def test_values_lie_in_their_ranges_and_act() -> None:
    (item,) = sets()
    uncertain = uncertain_parameters([item], EVERYTHING)
    for batch in range(5):
        drawn = draw_sets([item], EVERYTHING, batch, SEED)
        for each, value in zip(uncertain, drawn.values, strict=True):
            if not each.field.startswith("systematic.share_"):
                assert each.low <= value <= each.high, each.name
            assert figure(drawn.sets[0], each.field) == pytest.approx(value, rel=1e-15), each.name
    shares = build_parameters(drawn.sets).shares
    assert sum(shares) == pytest.approx(1.0, abs=1e-12)
    assert shares != build_parameters([item]).shares


def test_a_draw_depends_on_seed_field_and_batch_alone() -> None:
    (item,) = sets()
    name = "sale.auction_haircut"
    place = [each.field for each in uncertain_parameters([item], EVERYTHING)].index(name)
    among = [draw_sets([item], EVERYTHING, batch, SEED) for batch in range(4)]
    # A batch that was drawn again holds another draw of every figure; none of these was.
    assert [draw.attempts for draw in among] == [1] * 4
    alone = [float(draw_sets([item], only(name), batch, SEED).values[0]) for batch in range(4)]
    assert [float(draw.values[place]) for draw in among] == alone
    assert len(set(alone)) == 4
    assert float(draw_sets([item], only(name), 0, SEED + 1).values[0]) != alone[0]


def test_tiers_move_together_and_share_what_they_have_in_common() -> None:
    tiers = sets(*TIERS)
    spec = only("used_car_index.innovation_sd", "sale.auction_haircut")
    names = [each.name for each in uncertain_parameters(tiers, spec)]
    assert names == [f"{TIERS[0]}.used_car_index.innovation_sd", *(f"{tier}.sale.auction_haircut" for tier in TIERS)]
    haircuts = [each for each in uncertain_parameters(tiers, spec) if each.field.startswith("sale")]
    for batch in range(5):
        drawn = draw_sets(tiers, spec, batch, SEED)
        assert len({figure(item, "used_car_index.innovation_sd") for item in drawn.sets}) == 1
        laws = [triang((e.value - e.low) / (e.high - e.low), loc=e.low, scale=e.high - e.low) for e in haircuts]
        first, second = (law.cdf(value) for law, value in zip(laws, drawn.values[1:], strict=True))
        assert first == pytest.approx(second, abs=1e-9)


def test_a_shared_figure_may_lie_outside_another_tiers_own_range() -> None:
    first, second = sets(*TIERS)
    figures = first.used_car_index
    text = PARAMETER_SETS.text(TIERS[1]).replace(
        f"range: [{figures.innovation_sd.range[0]}, {figures.innovation_sd.range[1]}]",  # type: ignore[index]
        f"range: [{figures.innovation_sd.value}, {figures.innovation_sd.value}]",
    )
    narrow = spec_from_text(text, "narrow.yaml", ParameterSet)
    assert narrow.used_car_index.innovation_sd.range != second.used_car_index.innovation_sd.range
    drawn = draw_sets([first, narrow], only("used_car_index.innovation_sd"), 0, SEED)
    assert figure(drawn.sets[1], "used_car_index.innovation_sd") == pytest.approx(float(drawn.values[0]))


def test_contradictions_are_drawn_again_and_refused_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A correlation of prices and credit beyond what a month can yield is drawn again until it can."""
    (item,) = sets()
    spec = only("used_car_index.correlation_with_credit")
    wide = with_ranges(item, "correlation_with_credit", (-0.98, 0.0))
    drawn = [draw_sets([wide], spec, batch, SEED) for batch in range(8)]
    assert {draw.attempts for draw in drawn} != {1}
    monkeypatch.setattr(uncertainty, "ATTEMPTS", 1)
    failing = next(batch for batch, draw in enumerate(drawn) if draw.attempts > 1)
    with pytest.raises(InputError, match=r"none of 1 draws of the parameters fits together; .*correlation_with_credit"):
        draw_sets([wide], spec, failing, SEED)


def with_ranges(item: ParameterSet, name: str, span: tuple[float, float]) -> ParameterSet:
    """The set with another range of one figure of its used-car index."""
    data = item.model_dump()
    data["used_car_index"][name]["range"] = span
    return ParameterSet.model_validate(data)


def test_macro_paths_are_long_enough_for_the_longest_lag() -> None:
    (item,) = sets()
    span = item.sale.lag_months.range
    assert span is not None
    assert longest_lags([item], only("sale")).sets[0].sale.lag_months.value == span[1]
    assert longest_lags([item], only("systematic")).sets[0].sale.lag_months.value == item.sale.lag_months.value
    assert with_figures(item, {"sale.lag_months": 4.0}).sale.lag_months.value == 4


# --- what is refused -----------------------------------------------------------------------------------


def test_names_without_a_range_are_refused_with_the_nearest() -> None:
    spec = only("sale.auction_hair_cut", "systematic", "published", "title")
    with pytest.raises(InputError) as caught:
        check_uncertainty(sets(), spec, lambda *path: f"study.yaml:{path[-1]}")
    texts = [str(fault) for fault in caught.value.faults]
    assert [text.partition(": ")[0] for text in texts] == ["study.yaml:0", "study.yaml:2", "study.yaml:3"]
    assert "uncertainty.parameters[0] = sale.auction_hair_cut; expected a figure" in texts[0]
    assert "Did you mean `sale.auction_haircut`?" in texts[0]
    check_uncertainty(sets(), EVERYTHING)


def test_sets_without_any_range_have_nothing_to_draw() -> None:
    (item,) = sets()
    bare = with_figures(item, {each.field: each.value for each in uncertain_parameters([item], EVERYTHING)})
    with pytest.raises(InputError, match="the parameter sets state no range"):
        check_uncertainty([bare], EVERYTHING)


# --- batches -------------------------------------------------------------------------------------------


def test_paths_are_split_into_neighbours_of_nearly_equal_number() -> None:
    found = batch_ranges(103, 10)
    assert [path for batch in found for path in batch] == list(range(103))
    assert {len(batch) for batch in found} == {10, 11}


def weighted_sd(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Standard deviation over paths, divisor n - 1 where weights are equal."""
    share = weight / weight.sum()
    return np.sqrt(share @ (values - share @ values) ** 2 / (1.0 - share @ share))


def part(first: int, count: int, spread: float = 0.0) -> xr.Dataset:
    """A result of `count` paths from `first` on, with means over its own paths; `spread` is that of its log weights."""
    random = np.random.default_rng(first)
    loss, log_weight = random.normal(size=(count, 3)), spread * random.normal(size=count)
    weight = np.exp(log_weight)
    return xr.Dataset(
        {
            "loss": (("path", "month"), loss),
            "flow_mean": ("month", weight @ loss / weight.sum()),
            "flow_sd": ("month", weighted_sd(loss, weight)),
            "macro": ("month", np.arange(3.0)),
            "stage_count": ("stage", np.array([float(first), 1.0])),
        },
        {"path": np.arange(first, first + count), "month": [1, 2, 3], "log_weight": ("path", log_weight)},
        {"note": "first" if first == 0 else "later"},
    )


def test_parts_become_the_whole() -> None:
    parts = [mark_batch(part(0, 5), 0), mark_batch(part(5, 2), 1), mark_batch(part(7, 9), 2)]
    whole = join_batches(parts)
    loss = np.concatenate([each["loss"].to_numpy() for each in parts])
    np.testing.assert_array_equal(whole["loss"], loss)
    np.testing.assert_allclose(whole["flow_mean"], loss.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(whole["flow_sd"], loss.std(axis=0, ddof=1), rtol=1e-13)
    np.testing.assert_array_equal(whole["macro"], [0.0, 1.0, 2.0])
    np.testing.assert_allclose(whole["stage_count"], [(5 * 2 + 7 * 9) / 16, 1.0])
    assert whole["path"].to_numpy().tolist() == list(range(16))
    assert whole["batch"].to_numpy().tolist() == [0] * 5 + [1] * 2 + [2] * 9
    assert whole["parameter_draw"].dims == ("path",)
    assert whole.attrs == {"note": "first"}


def test_parts_whose_paths_have_weights_become_the_whole() -> None:
    parts = [mark_batch(part(0, 5, 1.0), 0), mark_batch(part(5, 2, 1.0), 1), mark_batch(part(7, 9, 1.0), 2)]
    whole = join_batches(parts)
    loss, weight = whole["loss"].to_numpy(), np.exp(whole["log_weight"].to_numpy())
    np.testing.assert_allclose(whole["flow_mean"], weight @ loss / weight.sum(), rtol=1e-12)
    np.testing.assert_allclose(whole["flow_sd"], weighted_sd(loss, weight), rtol=1e-12)


def test_the_table_of_what_was_drawn() -> None:
    (item,) = sets()
    spec = only("sale", "systematic.correlation")
    uncertain = uncertain_parameters([item], spec)
    draws = [draw_sets([item], spec, batch, SEED) for batch in range(3)]
    table = parameter_values(uncertain, draws)
    assert (table.name, table.dims) == ("parameter_value", ("parameter", "draw"))
    assert table["parameter"].to_numpy().tolist() == [each.name for each in uncertain]
    chosen = table.sel(parameter=f"{item.name}.sale.auction_haircut")
    assert chosen.to_numpy().tolist() == [draw.sets[0].sale.auction_haircut.value for draw in draws]
    assert float(chosen["parameter_central"]) == item.sale.auction_haircut.value
    assert (float(chosen["parameter_low"]), float(chosen["parameter_high"])) == item.sale.auction_haircut.range


# --- the nested estimator --------------------------------------------------------------------------------


def results(loss: np.ndarray, draws: int, values: np.ndarray | None = None) -> xr.Dataset:
    """A Dataset of one run with the losses of `draws` batches in turn, opening balance 1,000."""
    path = ("path", np.repeat(np.arange(draws), loss.size // draws))
    run = {"scenario": ["calm"], "strategy": ["reference"], "programme": ["none"]}
    dims = ("scenario", "strategy", "programme", "path")
    found = xr.Dataset(
        {
            "ultimate_loss": ((*dims, "month"), loss.reshape(1, 1, 1, -1, 1)),
            "ultimate_loss_after_horizon": (dims, np.zeros((1, 1, 1, loss.size))),
        },
        {**run, "log_weight": ("path", np.zeros(loss.size)), "batch": path, "parameter_draw": path},
        {"opening_balance": 1000.0},
    )
    if values is None:
        return found
    ends = {f"parameter_{name}": ("parameter", np.zeros(len(values))) for name in ("central", "low", "high")}
    names = [f"p{place}" for place in range(len(values))]
    table = xr.DataArray(values, dims=("parameter", "draw"), coords={"parameter": names, **ends})
    return found.assign(parameter_value=table)


def nested(draws: int, paths: int, between: float, within: float, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Losses of draws in turn, N(100 + centre of the draw, within), and those centres, N(0, between)."""
    random = np.random.default_rng(seed)
    centers = between * random.normal(size=draws)
    return (100.0 + centers[:, None] + within * random.normal(size=(draws, paths))).ravel(), centers


def row(dataset: xr.Dataset, measure: str, level: float = math.nan) -> dict[str, float]:
    table = parameter_bands(dataset)
    kept = table[(table["measure"] == measure) & ((table["level"] == level) | (level != level))]
    assert len(kept) == 1
    return dict(kept.iloc[0])


def test_parameters_and_paths_are_taken_apart() -> None:
    """Known spread 2 between 400 draws, 5 within 50 paths; a fresh seed fails about once in 10,000."""
    loss, _ = nested(400, 50, between=2.0, within=5.0)
    found = row(results(loss, 400), "expected_loss")
    # Exact law: between-draw variance x 399 / (4 + 25/50) is chi-square; four standard errors of its root.
    assert abs(found["parameter_sd"] - 2.0) < 4.0 * 4.5 / 4.0 / math.sqrt(2.0 * 399) * 2.0
    assert found["parameter_sd_error"] == pytest.approx(4.5 / 2.0 / math.sqrt(2.0 * 399), rel=0.3)
    assert found["monte_carlo_sd"] == pytest.approx(5.0 / math.sqrt(50.0), rel=0.05)
    assert (found["draws"], found["paths_a_draw"], found["resolved"]) == (400, 50, True)
    # The band is that of N(100, 2), not of N(100, sqrt(4.5)): +-3.29 and not +-3.49.
    half = 0.5 * (found["high"] - found["low"])
    assert half == pytest.approx(1.645 * found["parameter_sd"], rel=0.1)
    assert found["percent_of_opening"] == pytest.approx(found["value"] / 10.0)
    assert found["low_percent"] == pytest.approx(found["low"] / 10.0)


def test_estimator_is_unbiased() -> None:
    """Mean of 2,000 estimates of a variance of 4; the bound is four standard errors of the mean.

    A false alarm in fewer than 1 of 10,000 seeds.
    """
    random = np.random.default_rng(3)
    centers = 2.0 * random.normal(size=(2_000, 10))
    loss = centers[..., None] + 5.0 * random.normal(size=(2_000, 10, 8))
    found = [parameter_variance(each.mean(axis=1), each.var(axis=1, ddof=1) / each.shape[1]) for each in loss]
    assert abs(np.mean(found) - 4.0) < 4.0 * np.std(found) / math.sqrt(len(found))


def test_a_normal_tail_moves_as_the_mean_does() -> None:
    """Value at risk and shortfall of N(m, 5) move with m one for one: spread 2 in each, to first order."""
    loss, _ = nested(200, 1000, between=2.0, within=5.0)
    for measure in ("value_at_risk", "expected_shortfall"):
        found = row(results(loss, 200), measure, 0.95)
        assert abs(found["parameter_sd"] - 2.0) < 4.0 * found["parameter_sd_error"]
        assert not found["unreliable"]
    assert row(results(loss, 200), "value_at_risk", 0.999)["unreliable"]


def test_noise_alone_is_no_band() -> None:
    loss, _ = nested(10, 4, between=0.0, within=5.0, seed=8)
    found = row(results(loss, 10), "expected_loss")
    assert not found["resolved"]
    assert found["parameter_sd"] == 0.0
    assert found["low"] == found["high"] == found["value"]
    assert math.isnan(found["parameter_sd_error"])


def test_without_draws_there_is_no_band() -> None:
    loss, _ = nested(1, 50, between=0.0, within=5.0)
    table = parameter_bands(results(loss, 1))
    assert table.empty
    assert list(table.columns) == list(BAND_COLUMNS)
    assert parameter_drivers(results(loss, 1)).empty


def test_standard_errors_come_from_batches() -> None:
    """That of the expected loss is the draws' spread over the root of their number, far above sd / root of paths."""
    loss, _ = nested(20, 500, between=2.0, within=5.0)
    dataset = results(loss, 20)
    means = loss.reshape(20, 500).mean(axis=1)
    table = summary(dataset)
    error = float(table[table["measure"] == "expected_loss"]["standard_error"].iloc[0])
    assert error == pytest.approx(float(means.std(ddof=1)) / math.sqrt(20.0), rel=1e-12)
    assert error > 5.0 * float(loss.std()) / math.sqrt(loss.size)


def test_drivers_are_ranked_by_what_goes_with_the_loss() -> None:
    loss, centers = nested(60, 40, between=2.0, within=5.0)
    idle = np.random.default_rng(1).normal(size=60)
    table = parameter_drivers(results(loss, 60, np.stack([idle, np.ones(60), -np.exp(centers)])))
    assert table["parameter"].tolist() == ["p2", "p0", "p1"]
    assert table["rank_correlation"].iloc[0] < -0.8
    # Four times what chance makes of an idle parameter: a false alarm in fewer than 1 of 10,000 seeds.
    assert abs(table["rank_correlation"].iloc[1]) < 4.0 * table["rank_correlation_error"].iloc[1]
    assert math.isnan(table["rank_correlation"].iloc[2])
    assert table["stands_out"].tolist() == [True, False, False]
    assert (table["largest_by_chance"] == largest_by_chance(2, 60)).all(), "one that does not vary is not compared"


def test_rank_correlation_with_ties() -> None:
    """Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 x 5)."""
    found = rank_correlation(np.array([1.0, 2.0, 2.0, 9.0]), np.array([0.0, 1.0, 4.0, 5.0]))
    assert found == pytest.approx(4.5 / math.sqrt(4.5 * 5.0), rel=1e-14)
