"""The shipped sets: what their matrices imply against what was published, and where each number comes from."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.library import PARAMETER_SETS, US_TIERS, find_parameter_set, parameter_set_names
from parameter_sections import EVIDENCE, with_sections
from scenarios.errors import InputError
from simulator.intensities import transition_matrix
from simulator.parameters import Parameters, build_parameters, seasoned_shares
from simulator.provenance import provenance, set_provenance

# Levels printed beside the five matrices: 30+, 60+, charge-off hazard, first entry to 90 days a month,
# lifetime net loss and the LGD that it was computed with.
PRINTED = {
    "us_super_prime": (0.007, 0.0019, 0.00032, 0.0004, 0.0029, 0.40),
    "us_prime": (0.020, 0.0055, 0.00106, 0.0013, 0.0106, 0.44),
    "us_near_prime": (0.077, 0.023, 0.0044, 0.0051, 0.052, 0.52),
    "us_subprime": (0.195, 0.060, 0.0116, 0.0134, 0.146, 0.58),
    "us_deep_subprime": (0.31, 0.10, 0.0214, 0.0236, 0.271, 0.64),
}

# Contract rates of a pool of each tier: the middles of the rate bands.
RATE = {
    "us_super_prime": 0.04,
    "us_prime": 0.075,
    "us_near_prime": 0.125,
    "us_subprime": 0.175,
    "us_deep_subprime": 0.22,
}


@cache
def _parameters(name: str) -> Parameters:
    return build_parameters([find_parameter_set(name)])


def _matrix(name: str) -> NDArray[np.float64]:
    return transition_matrix(_parameters(name).published_intensity[0])


def test_eight_sets_are_shipped() -> None:
    assert set(parameter_set_names()) == {*US_TIERS, "us_title_loan", "cn_auto_finance", "cn_title_loan"}


@pytest.mark.parametrize("name", parameter_set_names())
def test_a_set_bears_the_name_of_its_file(name: str) -> None:
    assert find_parameter_set(name).name == name


def test_an_unknown_set_gets_the_nearest_name() -> None:
    with pytest.raises(InputError) as caught:
        find_parameter_set("us_subprim", where="study.yaml:3:1")
    text = str(caught.value)
    assert text.startswith("study.yaml:3:1: unknown parameter set `us_subprim`; expected one of cn_auto_finance")
    assert text.endswith("Did you mean `us_subprime`?")


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"the file .*nowhere\.yaml does not exist; expected the path of a parameter set"
    ):
        find_parameter_set("nowhere.yaml")


@pytest.mark.parametrize("name", US_TIERS)
def test_matrix_implies_the_printed_levels(name: str) -> None:
    # 4 %: the printed figures have two digits, and the rows were renormalised since.
    matrix, shares = _matrix(name), seasoned_shares(_parameters(name), 0)
    printed = PRINTED[name]
    assert shares[1:].sum() == pytest.approx(printed[0], rel=0.05)
    assert shares[2:].sum() == pytest.approx(printed[1], rel=0.04)
    assert shares @ matrix[:, 4] == pytest.approx(printed[2], rel=0.04)
    assert shares[2] * matrix[2, 3] == pytest.approx(printed[3], rel=0.05)


@pytest.mark.parametrize("name", parameter_set_names())
def test_matrix_implies_the_published_levels(name: str) -> None:
    matrix, shares = _matrix(name), seasoned_shares(_parameters(name), 0)
    published = find_parameter_set(name).published
    implied = {
        "delinquent_share": shares[1:].sum(),
        "seriously_delinquent_share": shares[2:].sum(),
        "charge_off_hazard": shares @ matrix[:, -2],
    }
    for field, value in implied.items():
        target = getattr(published, field)
        if target is not None:
            assert target.range[0] <= value <= target.range[1], field
            assert value == pytest.approx(target.value, rel=0.05), field


def _gross_loss(name: str, term: int, seasoned: bool) -> float:
    """Charged-off principal over the life of a new pool, over its opening balance."""
    parameters, rate = _parameters(name), RATE[name] / 12.0
    balance = (1.0 + rate) ** np.arange(term + 1)
    balance = (balance[-1] - balance) / (balance[-1] - 1.0)
    state, loss = np.eye(len(parameters.bucket_labels))[0], 0.0
    for month in range(1, term + 1):
        intensity = parameters.published_intensity[0].copy()
        intensity[0, 1:-1] *= parameters.seasoning[0, month] if seasoned else 1.0
        moves = state @ transition_matrix(intensity)
        behind = len(parameters.bucket_labels)  # the instalments that a charged-off loan has missed
        loss += moves[-2] * balance[max(month - behind, 0)]
        state = moves[:-2]
    return loss


@pytest.mark.parametrize("name", US_TIERS)
def test_lifetime_net_loss_of_a_new_pool(name: str) -> None:
    printed, lgd = PRINTED[name][4:]
    assert _gross_loss(name, 72, seasoned=False) * lgd == pytest.approx(printed, rel=0.12)
    low, high = find_parameter_set(name).published.cumulative_net_loss.range
    assert low <= _gross_loss(name, 72, seasoned=True) * lgd <= high


@pytest.mark.parametrize("name", ["us_prime", "us_subprime", "us_deep_subprime"])
def test_loss_timing_of_an_unseasoned_pool(name: str) -> None:
    # Published shares of lifetime loss by month 12 and 36: 26 and 79 % (prime, subprime), 29 and 82 % (deep).
    rate, term = RATE[name] / 12.0, 72
    balance = (1.0 + rate) ** np.arange(term + 1)
    balance = (balance[-1] - balance) / (balance[-1] - 1.0)
    matrix, state, loss = _matrix(name), np.eye(4)[0], np.zeros(term + 1)
    for month in range(1, term + 1):
        moves = state @ matrix
        loss[month], state = moves[4] * balance[max(month - 4, 0)], moves[:4]
    share = loss.cumsum() / loss.sum()
    at_12, at_36 = (0.29, 0.82) if name == "us_deep_subprime" else (0.26, 0.79)
    assert share[12] == pytest.approx(at_12, abs=0.04)
    assert share[36] == pytest.approx(at_36, abs=0.04)


def test_chinese_stocks_lie_between_the_published_ones() -> None:
    # Fitch Bohua: M2 .12 % (2023 Q3) to .29 % (2025 Q4), M3 .08 to .17 %.
    shares = seasoned_shares(_parameters("cn_auto_finance"), 0)
    assert 0.0012 <= shares[2] <= 0.0029
    assert 0.0008 <= shares[3] <= 0.0017


def test_chinese_rolls_are_ratios_of_published_flows() -> None:
    # Of the M1 that do not stay, .10 / .53 reach M2; of the M2, .07 / .10 reach M3.
    matrix = _matrix("cn_auto_finance")
    assert matrix[1, 2] / (1.0 - matrix[1, 1]) == pytest.approx(0.10 / 0.53, abs=0.005)
    assert matrix[2, 3] / (1.0 - matrix[2, 2]) == pytest.approx(0.07 / 0.10, abs=0.005)


def test_chinese_title_loans_default_more_often_than_us_near_prime_ones_and_less_than_subprime_ones() -> None:
    # First entries beyond 90 days a month, the rise that the set states: .6 %, against .5 and 1.3 %.
    def first_defaults(name: str) -> float:
        parameters = _parameters(name)
        shares, bucket = seasoned_shares(parameters, 0), parameters.default_bucket
        return float(shares[bucket - 1] * _matrix(name)[bucket - 1, bucket])

    near, title, subprime = (first_defaults(name) for name in ("us_near_prime", "cn_title_loan", "us_subprime"))
    assert near < title < subprime
    assert title == pytest.approx(0.006, abs=0.0008)


# --- title loans: a sequence of renewals -------------------------------------------------------------------


def _ends(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of charge-off and payoff in the end, by opening bucket: float64[K+1, 2]."""
    n_buckets = len(matrix)
    return np.linalg.solve(np.eye(n_buckets) - matrix[:, :n_buckets], matrix[:, n_buckets:])


def test_title_loans_are_renewed_and_charged_off_as_the_cfpb_found() -> None:
    # CFPB 2016: 83 % of loans are renewed on the day; a third of sequences default; more than half of sequences
    # have four loans or more, and two thirds of loans are in sequences of seven or more.
    matrix = _matrix("us_title_loan")
    renewed = matrix[0, 0]
    assert renewed == pytest.approx(0.83, abs=1e-9)
    assert _ends(matrix)[0, 0] == pytest.approx(1.0 / 3.0, abs=0.001)
    assert renewed**3 > 0.5
    assert renewed**6 * (1.0 + 6.0 * (1.0 - renewed)) == pytest.approx(2.0 / 3.0, abs=0.02)


def _lost_cars(parameters: Parameters) -> float:
    """Probability that a new loan's car is sold in the end: seized before charge-off and not redeemed, or found."""
    matrix, workout = transition_matrix(parameters.published_intensity[0]), parameters.workout
    n_buckets, seized = len(matrix), 1.0 - np.exp(-workout.seizure[0])
    # States: current, then each bucket with its car, then each bucket without; a car is seized at the close.
    late = slice(1, n_buckets)
    moves = np.zeros((2 * n_buckets - 1,) * 2)
    moves[:n_buckets, :n_buckets] = matrix[:, :n_buckets]
    moves[:n_buckets, n_buckets:] = matrix[:, late] * seized[late]
    moves[:n_buckets, late] *= 1.0 - seized[late]
    moves[n_buckets:, 0] = matrix[late, 0]
    moves[n_buckets:, n_buckets:] = matrix[late, late]
    charged_off = np.concatenate([matrix[:, n_buckets] * workout.found_share[0], matrix[late, n_buckets]])
    return float(np.linalg.solve(np.eye(len(moves)) - moves, charged_off)[0])


def test_one_title_borrower_in_five_loses_the_car() -> None:
    assert _lost_cars(_parameters("us_title_loan")) == pytest.approx(0.2, abs=0.001)


def test_rows_that_were_renormalised_are_noted() -> None:
    assert _parameters("us_prime").notes[0] == (
        "us_prime: row '30-59' of the transition matrix sums to 1.001 as given in the set and was divided by it"
    )
    assert _parameters("us_super_prime").notes == ()


# --- provenance ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", parameter_set_names())
def test_every_number_has_a_row_with_its_source(name: str) -> None:
    rows = provenance(_parameters(name))
    evidence = PARAMETER_SETS.text(name).count("confidence: ")
    assert len({(row.field.split(".to")[0], row.source) for row in rows}) >= evidence - len(rows)
    assert len(rows) >= evidence
    assert all(row.parameter_set == name and row.unit and len(row.source) > 15 for row in rows)
    assert len({row.field for row in rows}) == len(rows)


def test_rows_name_field_value_unit_and_source() -> None:
    rows = {row.field: row for row in set_provenance(find_parameter_set("us_prime"))}
    floor = rows["sale.lgd_floor"]
    assert (floor.value, floor.unit, floor.confidence) == (0.0, "fraction of balance", "H")
    assert floor.source.startswith("Uniform Commercial Code 9-615(d)(1)")
    assert rows["transitions[current].30-59"].unit == "probability a month"
    assert rows["used_car_index.residual_sd_per_year.by_segment.ev"].value == 0.08
    assert rows["macro_sensitivity[enter, unemployment].per_percentage_point"].range == (0.01, 0.12)
    assert rows["score.low"].unit == "score points, FICO"
    assert rows["entry_by_age[month 54]"].value == 0.35


def test_rows_of_figures_that_share_a_source() -> None:
    item = with_sections(find_parameter_set("us_prime"))
    rows = {row.field: row for row in set_provenance(item)}
    hardship = rows["types.cure_multiplier.hardship"]
    assert (hardship.value, hardship.unit, hardship.source) == (0.7, "multiplier", EVIDENCE["source"])
    assert rows["types.shares.strategic"].unit == "share of entries"
    assert rows["modification.share_of_cures.60-89"].value == pytest.approx(0.2)
    assert rows["repossession.intensity_per_month.90-119"].unit == "1/month"
    assert rows["repossession.segment_multiplier.by_segment.truck"].value == 0.9
    shipped = {row.field: row for row in set_provenance(find_parameter_set("us_prime"))}
    assert sum(field.startswith("sale.season[month ") for field in shipped) == 12
    assert rows["discount_cap"].unit == "fraction a year"


def test_what_is_only_compared_with_does_not_act() -> None:
    item = find_parameter_set("us_prime")
    assert item.history is not None
    acts = {row.field: row.acts for row in set_provenance(item)}
    assert not acts["history.arrears_again_12m"]
    assert acts["history.multiplier_at_cure"]
    assert acts["sale.found_share"]


def test_no_source_is_a_bare_tag() -> None:
    for name in parameter_set_names():
        for row in set_provenance(find_parameter_set(name)):
            assert "[S" not in row.source
            assert row.confidence == "L" or not row.source.startswith("assumption")


@pytest.mark.parametrize("chinese_set", ["cn_auto_finance", "cn_title_loan"])
def test_a_chinese_set_borrows_no_us_number_silently(chinese_set: str) -> None:
    # What equals the near-prime figure and is not Chinese must be an assumption that gives its reason.
    near = {row.field: row.value for row in set_provenance(find_parameter_set("us_near_prime"))}
    chinese = ("ChinaBond", "Fitch Bohua", "National Bureau of Statistics of China", "People's Republic of China")
    for row in set_provenance(find_parameter_set(chinese_set)):
        if near.get(row.field) == row.value and not any(name in row.source for name in chinese):
            assert row.source.startswith("assumption: "), row.field
            assert len(row.source) > 40, row.field


SECTIONS = {"buckets.probation_months", "history", "types", "modification", "negative_equity", "fees", "total_loss"}
SECTIONS |= {"repossession", "sale.found_share", "sale.storage_per_month", "deficiency", "fire_sale", "economics"}
SECTIONS |= {"used_car_index.jumps", "used_car_index.mean_reversion_per_year", "depreciation.mileage"}


@pytest.mark.parametrize("name", parameter_set_names())
def test_every_set_has_every_section_that_its_loans_can_have(name: str) -> None:
    # A title loan is a fraction of the car's value and brought to current by renewal; Chinese seasons were not read.
    fields = [row.field for row in set_provenance(find_parameter_set(name))]
    found = {section for section in SECTIONS if any(field.startswith(section) for field in fields)}
    missing = {"modification", "negative_equity"} if name == "us_title_loan" else set()
    assert SECTIONS - found == missing
    assert any(field.startswith("sale.season") for field in fields) == name.startswith("us")
    assert ("discount_cap" in fields) == (name == "us_title_loan")
