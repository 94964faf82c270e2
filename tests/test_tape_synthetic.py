"""Synthetic books: same seed, same loans; loans add up; the book looks like its profile."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, norm, rankdata

import tape_samples as samples
from known_cases import WORD, plain_philox
from scenarios.errors import InputError
from scenarios.tape_fields import TAPE_FIELDS
from scenarios.vocabulary import AMORTISATIONS, EVENT_SLOT, PURPOSES_PER_MONTH, SEGMENTS
from simulator.entities import loan_entities
from simulator.sourced import Share
from simulator.tape import LoanTape, load_profile, make_tape, profile_names, read_tape, synthetic_tape, write_tape
from simulator.tape.dates import FIRST_YEAR, LAST_YEAR
from simulator.tape.describe import FLAGS
from simulator.tape.draws import FIRST_SLOT, attribute_uniforms
from simulator.tape.profile import CORRELATED, Amortisations, Products, Quantiles, load_market
from simulator.tape.schedule import balance_after, instalment_to, level_instalment
from simulator.tape.tape import loan_age, loan_to_value

AS_OF = datetime.date(2024, 12, 31)
PROFILES = ("cn_auto_finance", "us_deep_subprime", "us_near_prime", "us_prime", "us_subprime", "us_super_prime")
SHARES = (0.90, 0.06, 0.03, 0.01)
EDGES = (0, 30, 60, 90)

# Each statistical test below compares a count with its exact binomial interval at this false-alarm rate; seeds are
# fixed, so that a test that passes keeps passing.
FALSE_ALARM = 1e-6


@pytest.fixture(scope="module", params=PROFILES)
def book(request: pytest.FixtureRequest) -> LoanTape:
    return synthetic_tape(request.param, 20_000, seed=11, as_of=AS_OF, bucket_shares=SHARES, bucket_edges=EDGES)


def _within(count: int, trials: int, share: float) -> bool:
    low, high = binom.interval(1.0 - FALSE_ALARM, trials, share)
    return bool(low <= count <= high)


def test_shipped_profiles() -> None:
    assert tuple(name for name in profile_names() if load_profile(name).amortisation is None) == PROFILES


def test_same_seed_same_loans() -> None:
    first, again = (synthetic_tape("us_near_prime", 500, seed=3, as_of=AS_OF) for _ in range(2))
    assert first.same_loans(again)
    assert not first.same_loans(synthetic_tape("us_near_prime", 500, seed=4, as_of=AS_OF))


def test_first_loans_do_not_change_when_more_are_asked_for() -> None:
    few = synthetic_tape("us_prime", 300, seed=3, as_of=AS_OF, bucket_shares=SHARES)
    many = synthetic_tape("us_prime", 9000, seed=3, as_of=AS_OF, bucket_shares=SHARES)
    for name, column in few.columns.items():
        np.testing.assert_array_equal(column, many[name][:300])


def test_a_candidate_is_the_same_loan_with_and_without_a_wish_for_months_left() -> None:
    free = synthetic_tape("us_near_prime", 4096, seed=3, as_of=AS_OF)
    long = synthetic_tape("us_near_prime", 1000, seed=3, as_of=AS_OF, minimum_remaining_term=60)
    assert long["remaining_term"].min() >= 60
    shared = np.isin(free["loan_id"], long["loan_id"])
    assert shared.sum() == 1000
    assert free["remaining_term"][shared].min() >= 60
    for name, column in free.columns.items():
        np.testing.assert_array_equal(column[shared], long[name][: shared.sum()])


def test_loans_add_up(book: LoanTape) -> None:
    age, term = loan_age(book), book["original_term"]
    past_due = np.searchsorted(EDGES, book["days_past_due"], side="right") - 1
    np.testing.assert_array_equal(age + book["remaining_term"], term)
    assert book["remaining_term"].min() >= 1
    assert bool(np.all(age >= past_due))
    instalment = np.rint(100 * level_instalment(book["original_balance"], book["rate"], term)) / 100
    np.testing.assert_array_equal(book["scheduled_payment"], instalment)
    owed = balance_after(book["original_balance"], book["rate"], instalment, age - past_due)
    np.testing.assert_allclose(book["current_balance"], owed, rtol=0, atol=0.0051)
    assert book["current_balance"].min() > 0.0
    assert bool(np.all(book["current_balance"] <= book["original_balance"]))


def test_fields_lie_in_their_ranges(book: LoanTape) -> None:
    for field in TAPE_FIELDS:
        column = book[field.name]
        if field.codes:
            assert set(column) <= set(field.codes)
        elif field.low is not None:
            stated = column[np.isfinite(column)]
            assert stated.size == 0 or (stated.min() >= field.low and stated.max() <= (field.high or np.inf))
    assert set(book["vehicle"]) <= set(SEGMENTS)
    assert book.report.rows_used == len(book)


def test_shares_are_those_of_the_profile(book: LoanTape) -> None:
    profile = load_profile(str(book["loan_id"][0]).rsplit("-", 1)[0])
    market = load_market(profile.market)
    loans = len(book)
    assert book.currency == market.currency
    assert _within(int((~book["vehicle_new"]).sum()), loans, profile.used_share.value)
    assert _within(int(book["co_borrower"].sum()), loans, profile.co_borrower_share.value)
    for column, weights in (("region", market.regions), ("sector", market.sectors), ("channel", profile.channels)):
        total = sum(weights.weights.values())
        for level, weight in weights.weights.items():
            assert _within(int((book[column] == level).sum()), loans, weight / total), level
    electric = profile.electric_share_of_new.value * (1.0 - profile.used_share.value)
    assert _within(int((book["vehicle"] == "ev").sum()), loans, electric)


def test_arrears_are_those_asked_for(book: LoanTape) -> None:
    days = book["days_past_due"]
    for low, high, share in ((0, 0, 0.90), (30, 59, 0.06), (60, 89, 0.03), (90, 119, 0.01)):
        assert _within(int(((days >= low) & (days <= high)).sum()), len(book), share)
    assert set(np.unique(days)) <= {0, *range(30, 120)}


def test_marginals_are_those_of_the_profile(book: LoanTape) -> None:
    """A quantile of n draws: the number below it is binomial."""
    profile = load_profile(str(book["loan_id"][0]).rsplit("-", 1)[0])
    for column, quantiles in (
        (book["original_balance"], profile.amount),
        (loan_to_value(book), profile.loan_to_value),
        (book["rate"], profile.rate),
    ):
        for probability, value in zip(quantiles.probabilities[1:-1], quantiles.values[1:-1], strict=True):
            # Values are rounded, and quantiles repeat where many loans have the same rate.
            below, up_to = int((column < value - 1e-4).sum()), int((column <= value + 1e-4).sum())
            low, high = binom.interval(1.0 - FALSE_ALARM, len(book), probability)
            assert below <= high
            assert up_to >= low
    weights = np.array(profile.term.weights) / sum(profile.term.weights)
    for term, share in zip(profile.term.values, weights, strict=True):
        assert _within(int((book["original_term"] == term).sum()), len(book), share)


def test_correlations_are_those_of_the_profile() -> None:
    """Normal scores of 40,000 loans: five standard errors, 1 / sqrt(40,000), false alarm 6e-7 a pair."""
    tape = synthetic_tape("us_near_prime", 40_000, seed=8, as_of=AS_OF)
    matrix = load_profile("us_near_prime").correlation_matrix
    columns = {"amount": tape["original_balance"], "loan_to_value": loan_to_value(tape)}
    columns |= {"payment_to_income": tape["payment_to_income"]}
    scores = {name: norm.ppf((rankdata(column) - 0.5) / len(tape)) for name, column in columns.items()}
    for first in columns:
        for second in columns:
            expected = matrix[CORRELATED.index(first), CORRELATED.index(second)]
            assert np.corrcoef(scores[first], scores[second])[0, 1] == pytest.approx(expected, abs=5 / np.sqrt(40_000))


def test_ages_follow_the_survival_of_an_even_book() -> None:
    tape = synthetic_tape("us_deep_subprime", 30_000, seed=9, as_of=AS_OF)
    stay, weights = 1.0 - 0.0324, np.array([5, 10, 20, 30, 20, 10, 5]) / 100
    terms = np.array([24, 30, 36, 42, 48, 54, 60])
    for age in (0, 6, 20, 40, 59):
        share = np.sum(weights * (age < terms) * stay**age * (1 - stay) / (1 - stay**terms))
        assert _within(int((loan_age(tape) == age).sum()), len(tape), float(share)), age


def test_arrears_lean_to_the_weaker_loans() -> None:
    """Sign only: 20,000 loans put the mean score of late loans seven standard errors below the others'."""
    tape = synthetic_tape("us_near_prime", 20_000, seed=10, as_of=AS_OF, bucket_shares=(0.8, 0.2), bucket_edges=(0, 30))
    late = tape["days_past_due"] > 0
    assert tape["score"][late].mean() < tape["score"][~late].mean()
    assert tape["rate"][late].mean() > tape["rate"][~late].mean()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"profile": "us_near_prim"}, ["unknown tape profile `us_near_prim`", "us_near_prime"]),
        ({"n_loans": 0}, ["loans = 0", "at least 1"]),
        ({"seed": -1}, ["seed = -1"]),
        ({"seed": 2**64}, ["seed = 18446744073709551616", "0 to 18446744073709551615"]),
        ({"as_of": datetime.date(1, 1, 31)}, ["as_of = 0001-01-31", "a year from 1996 to 2100"]),
        ({"minimum_remaining_term": 78}, ["1 to 77"]),
        ({"minimum_remaining_term": 0}, ["1 to 77"]),
        ({"bucket_shares": [0.9, 0.1]}, ["2 bucket_shares"]),
        ({"bucket_shares": [0.9, -0.1, 0.1, 0.1]}, ["at least 0"]),
        ({"bucket_shares": [0.0] * 4}, ["some above 0"]),
        ({"bucket_shares": [1.0] * 4, "bucket_edges": (0, 30, 30, 90)}, ["ascending edge"]),
        ({"bucket_shares": [1.0] * 4, "bucket_edges": (1, 30, 60, 90)}, ["from 0 days"]),
        ({"bucket_shares": [1.0] * 8, "bucket_edges": range(0, 240, 30)}, ["7 at most"]),
    ],
)
def test_wishes_that_cannot_be_met(change: dict[str, object], words: list[str]) -> None:
    wish = {"profile": "us_near_prime", "n_loans": 10, "seed": 1, "as_of": AS_OF, **change}
    with pytest.raises(InputError) as caught:
        synthetic_tape(**wish)  # type: ignore[arg-type]
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_wish_that_hardly_any_loan_meets_ends_with_an_error(tmp_path: Path) -> None:
    profile = load_profile("us_near_prime")
    term = profile.term.model_copy(update={"values": (12, 84), "weights": (1e6, 1.0)})
    rare = profile.model_copy(update={"term": term})
    with pytest.raises(InputError, match="a term that more loans reach"):
        synthetic_tape(rare, 100, seed=1, as_of=AS_OF, minimum_remaining_term=24)


def test_a_profile_whose_balances_double_precision_cannot_follow_is_refused() -> None:
    profile = load_profile("us_near_prime")
    steep = profile.rate.model_copy(update={"values": tuple(20.0 * value for value in profile.rate.values)})
    with pytest.raises(InputError, match=r"a rate of .* a year over 77 months; expected .* at most 1,000,000-fold"):
        synthetic_tape(profile.model_copy(update={"rate": steep}), 100, seed=1, as_of=AS_OF)


def test_a_car_without_value_makes_no_noise() -> None:
    tape = synthetic_tape("us_near_prime", 3, seed=1, as_of=AS_OF)
    columns = {**tape.columns, "vehicle_value": np.array([0.0, 1e-320, 100.0])}
    ratio = loan_to_value(make_tape(columns, as_of=AS_OF, currency="USD", report=tape.report))
    assert np.isfinite(ratio).tolist() == [False, False, True]


def test_years_are_those_of_cars() -> None:
    field = next(field for field in TAPE_FIELDS if field.name == "model_year")
    assert (field.low, field.high) == (FIRST_YEAR, LAST_YEAR)


def test_faulty_profile_is_refused(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[1] / "simulator" / "tape" / "profiles" / "us_near_prime.yaml"
    text = shipped.read_text()
    changes = (
        ("value: 0.0204", "value: 2.04", "attrition"),
        ("amount/term:", "amount/tern:", "amount/tern"),
        ("loan_to_value/arrears: 0.1", "loan_to_value/arrears: 0.99", "positive definite"),
        ("[620, 620,", "[660, 620,", "must not descend"),
        ("{car:", "{spaceship:", "spaceship"),
        ("market: us", "market: usa", "unknown tape market `usa`"),
    )
    for number, (old, new, words) in enumerate(changes):
        assert old in text
        path = samples.write(tmp_path, text.replace(old, new, 1), f"{number}.yaml")
        with pytest.raises(InputError) as caught:
            synthetic_tape(str(path), 10, seed=1, as_of=AS_OF)
        assert words in str(caught.value), str(caught.value)


# --- other ways of repaying, flags, mileage: what a profile may state beside what all of them do ---------------

ASSUMED = {"source": "assumption: made up for a test", "confidence": "L"}
MIXED: dict[str, object] = {
    "amortisation": Amortisations(weights=dict.fromkeys(AMORTISATIONS, 1.0), **ASSUMED),
    "balloon_share": Share(value=0.4, **ASSUMED),
    "product": Products(weights={"title_loan": 3, "purchase_loan": 1}, **ASSUMED),
    "kilometres_per_year": Quantiles(probabilities=(0.0, 1.0), values=(5_000.0, 40_000.0), **ASSUMED),
    "tracker_share": Share(value=0.8, **ASSUMED),
    "modified_share": Share(value=0.1, **ASSUMED),
    "repossessed_share": Share(value=0.5, **ASSUMED),
}


@pytest.fixture(scope="module")
def mixed() -> LoanTape:
    profile = load_profile("us_subprime").model_copy(update=MIXED)
    return synthetic_tape(profile, 20_000, seed=11, as_of=AS_OF, bucket_shares=SHARES, bucket_edges=EDGES)


def test_new_attributes_leave_the_old_ones_alone(mixed: LoanTape) -> None:
    plain = synthetic_tape("us_subprime", 20_000, seed=11, as_of=AS_OF, bucket_shares=SHARES, bucket_edges=EDGES)
    for name in ("original_balance", "rate", "original_term", "score", "region", "sector", "vehicle", "vehicle_value"):
        np.testing.assert_array_equal(mixed[name], plain[name])
    assert set(plain["amortisation"]) == {"level"}
    assert not any(plain[name].any() for name in FLAGS)
    assert np.isnan(plain["mileage"]).all()


def test_every_way_of_repaying_adds_up(mixed: LoanTape) -> None:
    age, term, way = loan_age(mixed), mixed["original_term"], mixed["amortisation"]
    past_due = np.searchsorted(EDGES, mixed["days_past_due"], side="right") - 1
    for name in AMORTISATIONS:
        assert _within(int((way == name).sum()), len(mixed), 0.2)
        loans = way == name
        amount, rate, paid = mixed["original_balance"][loans], mixed["rate"][loans], (age - past_due)[loans]
        balloon = np.nan_to_num(mixed["balloon"][loans], nan=0.0)
        months, stated = term[loans], mixed["scheduled_payment"][loans]
        if name in ("level", "balloon"):
            np.testing.assert_allclose(stated, instalment_to(amount, balloon, rate, months), rtol=0, atol=0.0051)
            owed = balance_after(amount, rate, stated, paid)
        elif name == "linear":
            owed = amount - np.rint(amount / months * 100) / 100 * paid
        else:
            owed = amount
        np.testing.assert_allclose(mixed["current_balance"][loans], owed, rtol=0, atol=0.0051)
        assert np.isfinite(stated).all() == (name in ("level", "balloon", "interest_only"))
        assert (balloon > 0.0).all() == (name == "balloon")
    np.testing.assert_allclose(mixed["balloon"][way == "balloon"], 0.4 * mixed["original_balance"][way == "balloon"],
                               rtol=0, atol=0.0051)  # fmt: skip


def test_a_single_payment_loan_is_not_due_yet_or_was_due_months_ago(mixed: LoanTape) -> None:
    single = mixed["amortisation"] == "single_payment"
    past_due = np.searchsorted(EDGES, mixed["days_past_due"], side="right") - 1
    age, term, left = loan_age(mixed), mixed["original_term"], mixed["remaining_term"]
    late = single & (past_due > 0)
    assert late.sum() > 100
    np.testing.assert_array_equal(age[late], (term + past_due)[late])
    assert set(left[late]) == {0}
    np.testing.assert_array_equal((age + left)[~late], term[~late])
    monthly = load_profile("us_subprime").term.model_copy(update={"values": (1,), "weights": (1.0,)})
    title = {"amortisation": Amortisations(weights={"single_payment": 1}, **ASSUMED), "term": monthly}
    profile = load_profile("us_subprime").model_copy(update=title)
    book = synthetic_tape(profile, 500, seed=2, as_of=AS_OF, minimum_remaining_term=12, bucket_shares=SHARES)
    assert set(loan_age(book)) == {0, 2, 3, 4}


def test_flags_and_products_are_drawn_by_their_shares(mixed: LoanTape) -> None:
    for name, share in (("tracker", 0.8), ("modified", 0.1), ("starter_interrupt", 0.0), ("income_verified", 0.0)):
        assert _within(int(mixed[name].sum()), len(mixed), share), name
    assert _within(int((mixed["product"] == "title_loan").sum()), len(mixed), 0.75)
    serious = mixed["days_past_due"] >= EDGES[2]
    assert not mixed["repossessed"][~serious].any()
    assert _within(int(mixed["repossessed"].sum()), int(serious.sum()), 0.5)


def test_mileage_is_that_of_the_car_s_years(mixed: LoanTape) -> None:
    years = mixed["origination_date"].astype("datetime64[Y]").astype(np.int64) + 1970 - mixed["model_year"]
    used = years > 0
    np.testing.assert_array_equal(np.isfinite(mixed["mileage"]), used)
    per_year = mixed["mileage"][used] / years[used]
    assert per_year.min() >= 5_000 - 1
    assert per_year.max() <= 40_000 + 1
    assert per_year.mean() == pytest.approx(22_500, abs=6 * 35_000 / np.sqrt(12 * used.sum()))  # six standard errors


def test_income_is_the_instalment_over_its_share(book: LoanTape) -> None:
    stated = np.isfinite(book["payment_to_income"])
    np.testing.assert_array_equal(np.isfinite(book["income"]), stated)
    ratio = book["scheduled_payment"][stated] / book["income"][stated]
    np.testing.assert_allclose(ratio, book["payment_to_income"][stated], rtol=1e-4)


def test_a_mixed_book_written_and_read_back_is_equal(mixed: LoanTape, tmp_path: Path) -> None:
    write_tape(mixed, tmp_path / "book.csv")
    assert read_tape(tmp_path / "book.csv", strict=True).same_loans(mixed)


def test_a_draw_is_philox_at_the_address_of_loan_and_attribute() -> None:
    """Against a plain second opinion: key = seed; counter = entity | path 0 | slot of four attributes."""
    ids, names, seed = np.array(["a", "us-7"]), [f"attribute {place}" for place in range(6)], 2**63 + 5
    found = attribute_uniforms(ids, names, seed)
    for row, entity in enumerate(int(item) for item in loan_entities(ids.tolist())):
        for place, name in enumerate(names):
            counter = [entity % WORD, entity // WORD, 0, FIRST_SLOT + place // 4]
            word = plain_philox(counter, [seed % WORD, seed // WORD])[place % 4]
            assert found[name][row] == (word + 0.5) / WORD
    months = 1200 + 24 + 60  # the longest horizon, run-off and lag
    assert EVENT_SLOT + (months + 1) * PURPOSES_PER_MONTH // 4 < FIRST_SLOT


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("amortisation: {weights: {annuity: 1}, SOURCE}", "no way of repaying: annuity"),
        ("product: {weights: {lease: 1}, SOURCE}", "no product: lease; expected some of purchase_loan, title_loan"),
        ("amortisation: {weights: {level: 1, balloon: 1}, SOURCE}", "missing where loans have balloons"),
        ("tracker_share: {value: 80, SOURCE}", "tracker_share"),
    ],
)
def test_faulty_wishes_of_a_profile_are_refused(tmp_path: Path, change: str, words: str) -> None:
    shipped = Path(__file__).parents[1] / "simulator" / "tape" / "profiles" / "us_near_prime.yaml"
    source = 'source: "assumption: made up for a test", confidence: L'
    path = samples.write(tmp_path, f"{shipped.read_text()}\n{change.replace('SOURCE', source)}\n", "own.yaml")
    with pytest.raises(InputError) as caught:
        load_profile(str(path))
    assert words in str(caught.value)


def test_schedule_known_answers() -> None:
    """A 10,000 loan at 12 % over 12 months: 888.49 a month; without interest 833.33."""
    principal, months = np.array([10000.0, 10000.0]), np.array([12, 12])
    rate = np.array([0.12, 0.0])
    level = level_instalment(principal, rate, months)
    np.testing.assert_allclose(level, [888.4878867834168, 833.3333333333334], rtol=1e-12)
    np.testing.assert_allclose(balance_after(principal, rate, level, months), [0.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(balance_after(principal, rate, level, np.array([0, 3])), [10000.0, 7500.0], rtol=1e-12)
