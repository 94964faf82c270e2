"""Figures of the shipped sets that were computed from real data or from other figures: computed again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.library import US_TIERS, find_parameter_set, parameter_set_names
from scenarios.vocabulary import TYPES
from simulator.factors import cumulative_variance
from simulator.intensities import transition_matrix
from simulator.parameter_set import ParameterSet
from simulator.parameters import build_parameters, seasoned_shares
from simulator.seasoned import HISTORY_STATES, pool_chain, solve_pool
from simulator.tape import load_profile
from simulator.tape.profile import Quantiles
from simulator.tape.synthetic import synthetic_tape
from simulator.tier_tables import tier_traits
from tier_samples import ALLY_WEIGHT_OF_USED, auction_cars, band, column, lines

Floats = NDArray[np.float64]

LTV_SAMPLES = {
    "us_super_prime": "Ally",
    "us_prime": "Ally",
    "us_near_prime": "World Omni",
    "us_subprime": "World Omni",
    "us_deep_subprime": "Santander",
}
MIDDLES = (np.arange(100_000) + 0.5) / 100_000.0


def _set(name: str) -> ParameterSet:
    return find_parameter_set(name)


def _mean_level(values: Floats, coefficient: float, weights: Floats | None = None) -> float:
    """The level whose multiplier exp(coefficient x) is the mean multiplier of the values."""
    return float(np.log(np.average(np.exp(coefficient * values), weights=weights)) / coefficient)


# --- covariates --------------------------------------------------------------------------------------


def _ltv_coefficient(item: ParameterSet) -> float:
    return float(np.log(item.covariates.ltv_hazard_ratio_per_10_points.value) / 0.10)


@pytest.mark.parametrize("name", US_TIERS)
def test_loan_to_value_references_are_the_samples(name: str) -> None:
    item, rows = _set(name), band(LTV_SAMPLES[name], name)
    assert item.covariates.ltv_reference.note is not None
    assert f"{len(rows):,} loans" in item.covariates.ltv_reference.note
    values, used = column(rows, "loan_to_value"), column(rows, "used")
    weights = np.where(used > 0.0, ALLY_WEIGHT_OF_USED if LTV_SAMPLES[name] == "Ally" else 1.0, 1.0)
    stated = np.isfinite(values)
    assert item.negative_equity is not None
    counted = np.minimum(values[stated], item.negative_equity.threshold.value)
    expected = _mean_level(counted, _ltv_coefficient(item), weights[stated])
    assert item.covariates.ltv_reference.value == pytest.approx(expected, abs=0.00051)


@pytest.mark.parametrize("name", ["us_title_loan", "cn_title_loan"])
def test_loan_to_value_references_of_title_loans_are_their_profiles(name: str) -> None:
    item = _set(name)
    counted = np.minimum(load_profile(name).loan_to_value.at(MIDDLES), 1.0)
    expected = _mean_level(counted, _ltv_coefficient(item))
    assert item.covariates.ltv_reference.value == pytest.approx(expected, abs=0.00051)


def _scores(name: str) -> Floats:
    figure = load_profile(name).score
    assert isinstance(figure, Quantiles)
    return figure.at(MIDDLES)


def test_score_slopes_are_those_between_the_tiers() -> None:
    entry = [np.log(next(iter(_set(name).transitions[0].to.values()))) for name in US_TIERS]
    mean = [_scores(name).mean() for name in US_TIERS]
    last = len(US_TIERS) - 1
    for place, name in enumerate(US_TIERS):
        better, worse = max(place - 1, 0), min(place + 1, last)
        covariates = _set(name).covariates
        assert covariates.score_per_point is not None
        assert covariates.score_reference is not None
        expected = (entry[worse] - entry[better]) / (mean[worse] - mean[better])
        assert covariates.score_per_point.value == pytest.approx(expected, abs=0.00006)
        if covariates.score_per_point.range is not None:
            single = [(entry[k + 1] - entry[k]) / (mean[k + 1] - mean[k]) for k in (place - 1, place)]
            assert covariates.score_per_point.range == pytest.approx(sorted(single), abs=0.00006)
        reference = _mean_level(_scores(name), covariates.score_per_point.value)
        assert covariates.score_reference.value == pytest.approx(reference, abs=0.06)


# --- after a cure: the Ally panel ----------------------------------------------------------------------

LAST = 33
"""Months of the Ally panel to February 2020: deferrals of the spring are not arrears."""

SPANS = ((0, 1), (1, 3), (3, 6), (6, 12), (12, 18))
"""Months since the return to current: the first, the second and third, and so on."""


@dataclass
class Entries:
    """Loan-months at risk, and entries, by months since the last return to current; -1: not late before."""

    at_risk: Counter[int] = field(default_factory=Counter)
    fell: Counter[int] = field(default_factory=Counter)

    def rate(self, first: int, end: int) -> float:
        months = range(first, end)
        return sum(self.fell[month] for month in months) / sum(self.at_risk[month] for month in months)

    def ratios(self) -> list[float]:
        return [self.rate(*span) / self.rate(-1, 0) for span in SPANS]


def _number(text: str) -> float:
    return float(text) if text not in ("NA", "") else np.nan


def _instalment(row: dict[str, str], paid: Floats) -> float:
    """The amount paid most often, unless it is far from what amount, rate and term give."""
    rate, term = float(row["originalInterestRatePercentage"]) / 12.0, float(row["originalLoanTerm"])
    level = float(row["originalLoanAmount"]) * (rate / (1.0 - (1.0 + rate) ** -term) if rate > 0.0 else 1.0 / term)
    usual = float(Counter(np.round(paid[paid > 0.0], 1)).most_common(1)[0][0])
    return usual if 0.8 * level < usual < 1.3 * level else level


def _follow(row: dict[str, str], entries: Entries, ahead: float) -> None:
    """Arrears are payments short of the schedule by an instalment; `ahead` instalments count in advance."""
    paid = np.array([_number(row[f"PMT{month}"]) for month in range(1, LAST + 1)])
    balance = np.array([_number(row[f"BAL{month}"]) for month in range(1, LAST + 1)])
    if (paid > 0.0).sum() < 3:
        return
    instalment, short, since, late = _instalment(row, paid), 0.0, -1, False
    for payment, left in zip(paid, balance, strict=True):
        if not (np.isfinite(payment) and left > 0.0):
            return
        short = max(-ahead, short + 1.0 - payment / instalment)
        now = short >= 0.9
        if not late:
            entries.at_risk[since] += 1
            entries.fell[since] += now
            since += since >= 0
        elif not now:
            since = 0
        late = now


@cache
def _ally(low: float, high: float, ahead: float = 0.0) -> Entries:
    entries = Entries()
    for name in ("aart1342new_2017", "aart2171_2017"):
        for row in lines(f"ally_2017/{name}.csv.gz"):
            if low <= float(row["obligorCreditScore"]) <= high:
                _follow(row, entries, ahead)
    return entries


def test_cured_loans_of_the_ally_panel_fall_behind_as_often_as_the_sets_say() -> None:
    assert [round(ratio, 1) for ratio in _ally(0, 900).ratios()] == [10.3, 7.7, 4.9, 2.6, 1.8]
    source = _set("us_near_prime").history.half_life_months.source
    assert "10.3, 7.7, 4.9, 2.6, 1.8" in " ".join(source.split())


def test_the_decay_after_a_cure_fits_the_panel() -> None:
    # Every month's multiplier of the set whose panel is the whole band of the tier, within a fifth.
    multiplier = build_parameters([_set("us_prime")]).borrower.history_multiplier[0, 0]
    fitted = [multiplier[first:end].mean() for first, end in SPANS]
    found = _ally(660, 719).ratios()
    np.testing.assert_allclose(fitted[:4], found[:4], rtol=0.2)


def test_the_multiplier_of_super_prime_loans_is_measured() -> None:
    found = [_ally(720, 900, ahead).ratios()[0] for ahead in (0.0, 1.0, 2.0)]
    shipped = _set("us_super_prime").history.multiplier_at_cure
    assert min(found) == pytest.approx(12.4, abs=0.06)
    assert max(found) == pytest.approx(13.7, abs=0.06)
    assert min(found) <= shipped.value <= max(found)


# --- after an extension: the AmeriCredit sample --------------------------------------------------------


def _americredit() -> Iterator[list[tuple[bool, float, bool]]]:
    """Histories of the 72 loans: late by 30 days, days past due, extended, month by month."""
    loans: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for row in lines("americredit_sample/amcar_72_loans_monthly.csv.gz"):
        loans[row["loan_id"]].append(row)
    for rows in loans.values():
        rows.sort(key=lambda row: (row["reportingPeriodEndingDate"][6:], row["reportingPeriodEndingDate"][:2]))
        # No days are stated before the first due date, nor after the loan's end.
        stated = [row for row in rows if row["currentDelinquencyStatus"]]
        days = [float(row["currentDelinquencyStatus"]) for row in stated]
        extended = [row["paymentExtendedNumber"] not in ("", "-", "0", "0.0") for row in stated]
        yield [(day >= 30.0, day, new) for day, new in zip(days, extended, strict=True)]


def test_extended_loans_of_the_sample_fall_behind_as_often_as_the_sets_say() -> None:
    after, clean, extensions, of_late = Counter[bool](), Counter[bool](), 0, 0
    for months in _americredit():
        since, cured = -1, False
        for (late, _, _), (now, _, new) in pairwise(months):
            if not late and 0 <= since < 12:
                after[now] += 1
            if not late and not cured:
                clean[now] += 1
            since = 0 if new else since + (since >= 0)
            cured |= late and not now
            extensions += new
            of_late += new and late
    assert (after[True], after.total()) == (25, 208)
    ratio = after[True] / after.total() / (clean[True] / clean.total())
    assert ratio == pytest.approx(4.1, abs=0.05)
    assert (of_late, extensions) == (14, 35)
    for name in US_TIERS:
        assert _set(name).history.multiplier_modified.value == 4.1


def test_cures_of_the_sample_are_extensions_as_often_as_the_sets_say() -> None:
    cures, extended = Counter[bool](), Counter[bool]()
    for months in _americredit():
        for (late, day, _), (now, _, new) in pairwise(months):
            if late and not now:
                cures[day >= 60.0] += 1
                extended[day >= 60.0] += new
    assert (extended[False], cures[False], extended[True], cures[True]) == (9, 36, 2, 7)


# --- macro, fees, cars ---------------------------------------------------------------------------------


def _fred(name: str, first: str, last: str) -> float:
    rows = lines(f"fred/{name}.csv")
    date, value = list(rows[0])[:2]
    return float(np.mean([float(row[value]) for row in rows if first <= row[date][:7] <= last]))


def test_hardship_lasts_as_long_as_unemployment() -> None:
    weeks = _fred("UEMPMEAN", "2017-07", "2019-12")
    assert weeks == pytest.approx(22.8, abs=0.05)
    for name in (*US_TIERS, "us_title_loan"):
        types = _set(name).types
        assert types is not None
        assert types.hardship_ends_per_month.value == pytest.approx(52.18 / 12.0 / weeks, abs=0.0051)


@pytest.mark.parametrize("name", parameter_set_names())
def test_what_unemployment_adds_to_entries_is_hardship(name: str) -> None:
    item = _set(name)
    assert item.types is not None
    effect = item.macro_sensitivity[0]
    assert (effect.cause, effect.variable) == ("enter", "unemployment")
    added = np.expm1(effect.per_percentage_point.value) / item.types.shares.hardship
    assert item.types.hardship_log_odds_per_point.value == pytest.approx(np.log1p(added), rel=0.04)


def test_macro_levels_of_title_loans_are_those_of_2010_to_2013() -> None:
    levels = _set("us_title_loan").macro_reference
    assert levels.unemployment_percent.value == pytest.approx(_fred("UNRATE", "2010-01", "2013-12"), abs=0.0051)
    rows = lines("fed_scenarios/2025-Table_1A_Historic_Domestic.csv")
    years = [row for row in rows if row["Date"][:4] in ("2010", "2011", "2012", "2013")]
    for name, level in (
        ("Real disposable income growth", levels.disposable_income_growth_percent),
        ("Prime rate", levels.prime_rate_percent),
    ):
        assert level.value == pytest.approx(np.mean([float(row[name]) for row in years]), abs=0.0051)


@pytest.mark.parametrize("name", US_TIERS)
def test_late_fees_are_a_twentieth_of_the_instalment(name: str) -> None:
    tape = synthetic_tape(name, 20_000, seed=1, as_of=np.datetime64("2019-12-31").astype(object))
    mean = tape["scheduled_payment"].mean()
    fees = _set(name).fees
    assert fees is not None
    assert fees.late_fee is not None
    assert f"{mean:.0f} USD" in " ".join(fees.late_fee.source.split())
    assert fees.late_fee.value == pytest.approx(min(0.05 * mean, 25.0), abs=0.51)


def test_usual_distances_are_those_of_cars_at_auction() -> None:
    mileage = _set("us_prime").depreciation.mileage
    assert mileage is not None
    age, distance = auction_cars()
    chosen = (age >= 2.0) & (age < 10.0)
    assert f"{chosen.sum():,} cars" in " ".join(mileage.km_per_year.source.split())
    low, middle, high = np.quantile(distance[chosen] / age[chosen], [1.0 / 6.0, 0.5, 5.0 / 6.0])
    assert mileage.km_per_year.value == pytest.approx(middle, abs=50.0)
    assert mileage.km_step.range == pytest.approx((middle - low, high - middle), abs=60.0)


@pytest.mark.parametrize(("name", "yearly"), [("us_prime", 0.079), ("cn_auto_finance", 0.10), ("cn_title_loan", 0.10)])
def test_the_index_s_yearly_sd_is_the_stated_one_with_jumps_and_reversion(name: str, yearly: float) -> None:
    parameters = build_parameters([_set(name)])
    spread = parameters.index_innovation_sd**2 * cumulative_variance(
        12, parameters.index_persistence, parameters.reversion
    )
    kept = (1.0 - parameters.reversion) ** (2 * np.arange(12))
    jumps = parameters.jump_intensity * (parameters.jump_mean**2 + parameters.jump_sd**2) * kept.sum()
    assert np.sqrt(spread[12] + jumps) == pytest.approx(yearly, rel=0.005)


def test_total_losses_are_claims_times_the_share_of_total_losses() -> None:
    # 7.4 claims per 100 insured vehicle-years, of which 14.3 % in all cars and less than 7 % in new ones; .027 thefts.
    for name, share in (("us_subprime", 0.143), ("us_deep_subprime", 0.143), ("us_prime", 0.07)):
        section = _set(name).total_loss
        assert section is not None
        yearly = 0.074 * share + 0.00027
        assert section.intensity_per_month.value == pytest.approx(yearly / 12.0, abs=0.00006)


# --- types ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", US_TIERS)
def test_charge_offs_are_of_hardship_first_and_strategic_as_often_as_the_sets_say(name: str) -> None:
    # 15 to 34 %, negative equity's entries included; Ganong & Noel: it takes part in 30 % of mortgage defaults.
    parameters = build_parameters([_set(name)])
    traits = tier_traits(parameters.borrower, 0)
    pool = solve_pool(parameters.published_intensity[0], traits, name)
    late = pool.share[HISTORY_STATES:].reshape(-1, len(TYPES))
    charged_off = (late * pool_chain(pool.intensity, traits).arrears.sum(axis=2)[..., len(pool.types)]).sum(axis=0)
    shares = dict(zip(TYPES, charged_off / charged_off.sum(), strict=True))
    assert 0.145 <= shares["strategic"] <= 0.345
    assert shares["hardship"] == max(shares.values())


@pytest.mark.parametrize("name", US_TIERS)
def test_extensions_of_late_loans_are_below_all_extensions(name: str) -> None:
    # S&P: .3 % (prime) to 2.0 % (subprime) of balances a month are extended, and not only late ones.
    parameters = build_parameters([_set(name)])
    share = seasoned_shares(parameters, 0)
    cures = share * transition_matrix(parameters.published_intensity[0])[:, 0]
    extended = float((cures * parameters.borrower.modified_share[0])[1:].sum())
    assert extended < (0.003 if name in ("us_super_prime", "us_prime") else 0.02)
