"""Regimes of classification: files, where a book's buckets stand, and stocks against loans counted one by one."""
# ruff: noqa: E501  # a table has one case a line

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from command_line import carstress
from outputs.regime_view import class_days, format_regime, regime_view
from outputs.regimes import SEVERITY, classify, migration, migration_table, place_buckets, regime_table
from scenarios.errors import InputError
from scenarios.load import spec_from_text
from scenarios.regimes import Regime, find_regime, regime_names, shipped_regimes
from scenarios.vocabulary import RUN_DIMS

US = (("current", "30-59", "60-89", "90-119"), (0, 30, 60, 90))
CN = (("current", "M1", "M2", "M3", "M4", "M5", "M6"), (0, 1, 31, 61, 91, 121, 151))
OWN = """\
kind: regime
name: own
title: A lender's own classes
source: "assumption: for a test of how files are read"
classes:
  - {name: good, days_from: 0}
  - {name: late, days_from: 30}
  - {name: bad, days_from: 90}
workout: {repossessed: bad, charged_off: bad}
"""
EXITS = ("charged_off", "prepaid", "total_loss", "matured")


def own(text: str = OWN) -> Regime:
    return spec_from_text(text, "own.yaml", Regime)


# --- files ---------------------------------------------------------------------------------------------


def test_the_shipped_regimes_have_the_days_of_their_rules() -> None:
    days = {
        item.name: dict(zip(item.class_names, (each.days_from for each in item.classes), strict=True))
        for item in shipped_regimes()
    }
    assert set(days) == set(regime_names())
    # "more than 90 days past due" begins with day 91, and so for 270 and 360
    assert days["cn_five_category"] == {
        "normal": 0,
        "special mention": 1,
        "substandard": 91,
        "doubtful": 271,
        "loss": 361,
    }
    # IFRS 9 says "more than 30 days" for the increase and "90 days" for default
    assert days["ifrs9"] == {"stage 1": 0, "stage 2": 31, "stage 3": 90}
    assert list(days["us_buckets"].values()) == [0, 30, 60, 90, 120]
    assert days["cn_m_buckets"] == {"M0": 0, "M1": 1, "M2": 31, "M3": 61, "M4+": 91}
    assert find_regime("ifrs9").workout_classes == {"repossessed": 2, "in_default": 2}
    assert find_regime("cn_five_category").workout_classes == {"modified": 1, "repossessed": 2, "charged_off": 4}
    assert find_regime("us_buckets").workout_classes == {}


@pytest.mark.parametrize("name", regime_names())
def test_a_shipped_regime_is_a_file_that_validates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    shown = carstress("regime", "show", name)
    assert (shown.code, shown.err) == (0, "")
    assert "source:" in shown.out
    (tmp_path / "shown.yaml").write_text(shown.out, "utf-8")
    assert carstress("validate", "shown.yaml").code == 0
    assert find_regime("shown.yaml").model_dump() == find_regime(name).model_dump()
    document = carstress("regime", "show", name, "--json").document
    assert [item["name"] for item in document["classes"]] == list(find_regime(name).class_names)


def test_regimes_are_listed_with_their_classes() -> None:
    rows = carstress("regime", "list", "--json").document
    assert [row["name"] for row in rows] == list(regime_names())
    assert rows[regime_names().index("ifrs9")]["classes"] == "stage 1, stage 2, stage 3"
    assert [line.split()[0] for line in carstress("regime", "list").out.splitlines()] == ["name", *regime_names()]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("days_from: 0", "days_from: 1", "own.yaml:6:29: classes[0].days_from = 1; expected 0. The best class begins with day 0"),
        ("days_from: 90", "days_from: 30", "own.yaml:8:28: classes[2].days_from = 30; expected more than 30. Write the classes from the best to the worst."),
        ("name: late", "name: good", "own.yaml:7:12: class good for the second time; expected each class once."),
        ("repossessed: bad", "repossessed: baad", "own.yaml:9:24: workout.repossessed = baad; expected one of good, late, bad. Did you mean `bad`?"),
        ("repossessed:", "repossesed:", "own.yaml:9:11: unknown key workout.repossesed; expected one of charged_off, in_default, modified, repossessed. Did you mean `repossessed`?"),
        ("days_from: 30", "days_from: -1", "classes[1].days_from = -1; expected 0 to 3650"),
        ('source: "assumption: for a test of how files are read"', 'source: "ours"', "own.yaml:4:9: source"),
        ("kind: regime", "kind: regimes", "Did you mean `regime`?"),
    ],
)  # fmt: skip
def test_a_fault_of_a_file_is_told_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert old in OWN
    (tmp_path / "own.yaml").write_text(OWN, "utf-8")
    assert carstress("validate", "own.yaml").code == 0
    (tmp_path / "own.yaml").write_text(OWN.replace(old, new, 1), "utf-8")
    answer = carstress("validate", "own.yaml")
    assert (answer.code, answer.out) == (3, "")
    assert said in answer.err


def test_an_unknown_regime_is_answered_with_the_nearest() -> None:
    answer = carstress("regime", "show", "ifrs")
    assert (answer.code, answer.out) == (3, "")
    assert "unknown regime `ifrs`; expected one of cn_five_category," in answer.err
    assert "Did you mean `ifrs9`?" in answer.err


def test_a_regime_made_in_python_is_checked_too() -> None:
    classes = [{"name": "good", "days_from": 0}, {"name": "bad", "days_from": 0}]
    with pytest.raises(ValueError, match=r"days_from = 0; expected more than 0"):
        Regime.model_validate({"name": "x", "title": "x", "source": "assumption: a test", "classes": classes})


# --- where buckets stand ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "book", "expected"),
    [
        ("us_buckets", US, ["0-29", "30-59", "60-89", "90-119"]),
        ("us_buckets", CN, ["0-29", "0-29", "30-59", "60-89", "90-119", "120+", "120+"]),
        ("cn_m_buckets", CN, ["M0", "M1", "M2", "M3", "M4+", "M4+", "M4+"]),
        ("cn_m_buckets", US, ["M0", "M2", "M3", "M4+"]),
        ("cn_five_category", CN, ["normal", *["special mention"] * 3, *["substandard"] * 3]),
        ("cn_five_category", US, ["normal", "special mention", "special mention", "substandard"]),
        ("ifrs9", US, ["stage 1", "stage 2", "stage 2", "stage 3"]),
        ("ifrs9", CN, ["stage 1", "stage 1", "stage 2", "stage 2", "stage 3", "stage 3", "stage 3"]),
    ],
)  # fmt: skip
def test_a_bucket_stands_where_most_of_its_days_lie(
    name: str, book: tuple[tuple[str, ...], tuple[int, ...]], expected: list[str]
) -> None:
    regime = find_regime(name)
    placement = place_buckets(regime, *book)
    assert [regime.class_names[place] for place in placement.category] == expected


def test_what_a_book_cannot_show_is_said_and_why() -> None:
    regime = find_regime("cn_five_category")
    placement = place_buckets(regime, *CN)
    assert placement.observable == (True, True, True, False, False)
    assert placement.notes == (
        "Class doubtful cannot be observed, which is not the same as empty: it begins with day 271, and the book's last "
        "bucket ends with day 180, after which loans are charged off.",
        "Class loss cannot be observed, which is not the same as empty: it begins with day 361, and the book's last bucket "
        "ends with day 180, after which loans are charged off.",
    )
    months = place_buckets(find_regime("cn_m_buckets"), *US)
    assert months.observable == (True, False, True, True, True)
    assert months.notes[-1] == (
        "Class M1 cannot be observed, which is not the same as empty: no bucket of the book has most of its days from day 1 "
        "to the next class."
    )
    assert months.notes[0] == "Bucket 30-59 counts whole as M2: 29 of its 30 days past due belong there."
    late = spec_from_text(OWN.replace("bad, days_from: 90", "bad, days_from: 200"), "own.yaml", Regime)
    assert place_buckets(late, *US).observable == (True, True, True)
    assert (
        place_buckets(late, *US).notes[-1].startswith("Class bad holds loans in workout alone: it begins with day 200")
    )


def test_days_of_classes_in_words() -> None:
    assert class_days(find_regime("cn_five_category")) == ("0", "1 to 90", "91 to 270", "271 to 360", "361 and more")


# --- stocks against loans counted one by one ---------------------------------------------------------------


def results_of(
    balances: dict[str, np.ndarray], buckets: np.ndarray, book: tuple[tuple[str, ...], tuple[int, ...]] = US
) -> xr.Dataset:
    """A result of one run, one path and one month with what `classify` reads.

    `buckets` is float64[bucket]; `balances` are the book's variables, floats.
    """
    labels, edges = book
    dims = (*RUN_DIMS, "path", "month")
    names = ("defaulted_balance", "modified_balance", "repossessed_balance", "charge_off")
    variables = {name: (dims, np.full((1, 1, 1, 1, 1), balances.get(name, 0.0))) for name in names}
    variables["bucket_balance_mean"] = ((*RUN_DIMS, "month", "bucket"), np.reshape(buckets, (1, 1, 1, 1, -1)))
    coordinates = {
        "scenario": ["baseline"], "strategy": ["reference"], "programme": ["none"], "path": [0], "month": [1],
        "bucket": list(labels), "bucket_first_day": ("bucket", list(edges)), "log_weight": ("path", [0.0]),
    }  # fmt: skip
    default = labels[[day >= 90 for day in edges].index(True)]
    return xr.Dataset(variables, coordinates, {"currency": "USD", "default_bucket": default})


LOAN = st.tuples(
    st.integers(0, 3),  # bucket
    st.booleans(),  # the car is seized, where the loan is in arrears
    st.booleans(),  # extended
    st.booleans(),  # in default's probation, or in default after a partial cure
    st.floats(1.0, 100.0),
)


@settings(max_examples=60, deadline=None)
@given(loans=st.lists(LOAN, min_size=1, max_size=30), name=st.sampled_from((*regime_names(), "own")))
def test_bounds_hold_what_loans_counted_one_by_one_make(
    loans: list[tuple[int, bool, bool, bool, float]], name: str
) -> None:
    regime = own() if name == "own" else find_regime(name)
    placement = place_buckets(regime, *US)
    buckets, exact = np.zeros(4), np.zeros(len(regime.classes))
    totals = dict.fromkeys(("modified", "repossessed", "in_default"), 0.0)
    for bucket, seized, modified, defaulted, balance in loans:
        states = {"modified": modified, "repossessed": seized and bucket > 0}
        states["in_default"] = defaulted or bucket == 3 or states["repossessed"]
        place = placement.category[bucket]
        for state, holds in states.items():
            totals[state] += balance * holds
            place = max(place, regime.workout_classes.get(state, 0)) if holds else place
        buckets[bucket] += balance
        exact[place] += balance
    names = {"modified": "modified_balance", "repossessed": "repossessed_balance", "in_default": "defaulted_balance"}
    found = classify(results_of({names[state]: total for state, total in totals.items()}, buckets), regime)
    stock = np.nan_to_num(found["stock"].squeeze().transpose("severity", "category").to_numpy())
    worse = exact[::-1].cumsum()[::-1]
    least, most = stock[:, ::-1].cumsum(axis=1)[:, ::-1]
    assert (least <= worse + 1e-9).all()
    assert (worse <= most + 1e-9).all()
    np.testing.assert_allclose(stock.sum(axis=1), buckets.sum(), rtol=1e-12)
    assert (stock >= -1e-9).all()
    if name in ("us_buckets", "cn_m_buckets"):  # days alone
        np.testing.assert_allclose(stock, [exact, exact], rtol=1e-12, atol=1e-9)
    if name == "ifrs9":  # default holds everything that leads to stage 3
        np.testing.assert_allclose(stock[:, 2], exact[2], rtol=1e-12, atol=1e-9)


def test_bounds_of_an_example_worked_by_hand() -> None:
    # 10 in bucket 90-119, 8 repossessed, 12 in default: in "bad" stand the 10 at least, and 12 at most, because
    # everything that is repossessed or 90 days late is in default.
    balances = {"repossessed_balance": 8.0, "defaulted_balance": 12.0, "charge_off": 3.0}
    found = classify(results_of(balances, np.array([100.0, 20.0, 15.0, 10.0])), own())
    stock = found["stock"].squeeze()
    assert stock.sel(severity="least").values.tolist() == [100.0, 35.0, 10.0]
    assert stock.sel(severity="most").values.tolist() == [100.0, 33.0, 12.0]
    np.testing.assert_allclose(found["share"].squeeze().sel(category="bad"), [10 / 145, 12 / 145])
    assert found["charged_off"].squeeze().item() == 3.0


def test_a_class_that_cannot_be_observed_is_missing_and_not_zero() -> None:
    results = results_of({}, np.array([100.0, 5, 3, 2, 1, 0.5, 0.25]), CN)
    found = classify(results, find_regime("cn_five_category"))
    share = found["share"].squeeze().sel(severity="most")
    assert np.isnan(share.sel(category=["doubtful", "loss"])).all()
    assert share.sel(category="substandard").item() == pytest.approx(1.75 / 111.75)
    assert found["observable"].values.tolist() == [True, True, True, False, False]
    table = regime_table(results, [find_regime("cn_five_category")])
    assert table.set_index("class")["observable"].to_dict()["doubtful"] is False
    assert table["stock_least"].isna().sum() == 2
    text = format_regime(regime_view(results, find_regime("cn_five_category")))
    assert text.count("not observed") == 2
    assert "Class doubtful cannot be observed" in " ".join(text.split())


def test_charged_off_balance_stands_in_the_class_that_the_regime_names() -> None:
    table = regime_table(results_of({"charge_off": 7.0}, np.array([9.0, 1, 0, 0])), [own(), find_regime("us_buckets")])
    by_class = table[table["regime"] == "own"].set_index("class")["charged_off"]
    assert by_class["bad"] == 7.0
    assert by_class.isna().sum() == 2
    assert table[table["regime"] == "us_buckets"]["charged_off"].isna().all()


def test_a_book_that_has_run_off_has_no_shares_but_zeros() -> None:
    share = classify(results_of({}, np.zeros(4)), own())["share"]
    assert (share == 0.0).all()


def test_a_view_gives_both_bounds_where_they_differ() -> None:
    balances = {"repossessed_balance": 8.0, "defaulted_balance": 12.0}
    view = regime_view(results_of(balances, np.array([100.0, 20.0, 15.0, 10.0])), own())
    assert view.heads == ("after 1 month",)
    assert view.runs == {
        "baseline": [
            ("good", "", "0 to 29", ("68.966",)),
            ("late", "", "30 to 89", ("22.759 to 24.138",)),
            ("bad", "", "90 and more", ("6.897 to 8.276",)),
        ]
    }


# --- migration ---------------------------------------------------------------------------------------------


def with_moves(book: tuple[tuple[str, ...], tuple[int, ...]], seed: int = 1) -> xr.Dataset:
    """A result with random counts of moves in two months."""
    labels, _ = book
    results = results_of({}, np.ones(len(labels)), book)
    counts = np.random.default_rng(seed).uniform(0.0, 50.0, (1, 1, 1, 2, len(labels), len(labels) + len(EXITS)))
    moves = xr.DataArray(
        counts,
        {"month": [1, 2], "from_bucket": list(labels), "to_state": [*labels, *EXITS]},
        (*RUN_DIMS, "month", "from_bucket", "to_state"),
    )
    return results.drop_vars(["month", "bucket_balance_mean"]).isel(month=0).assign(transition_count_mean=moves)


def test_migration_of_the_books_own_buckets_is_its_roll_rates() -> None:
    results = with_moves(CN)
    rates = migration(results, find_regime("cn_m_buckets")).squeeze()
    counts = results["transition_count_mean"].sum("month").squeeze().to_numpy()
    np.testing.assert_allclose(rates.sum("to"), 1.0, rtol=1e-12)
    assert rates["from_class"].values.tolist() == ["M0", "M1", "M2", "M3", "M4+"]
    assert rates["to"].values.tolist() == ["M0", "M1", "M2", "M3", "M4+", *EXITS]
    np.testing.assert_allclose(rates.sel(from_class="M2", to="M3"), counts[2, 3] / counts[2].sum())
    late = counts[4:]
    np.testing.assert_allclose(rates.sel(from_class="M4+", to="M4+"), late[:, 4:7].sum() / late.sum())
    np.testing.assert_allclose(rates.sel(from_class="M4+", to="charged_off"), late[:, 7].sum() / late.sum())


def test_migration_has_no_row_for_a_class_that_no_bucket_leads_to() -> None:
    table = migration_table(with_moves(US), [find_regime("cn_five_category")])
    assert set(table["from_class"]) == {"normal", "special mention", "substandard"}
    assert set(table["to"]) == {"normal", "special mention", "substandard", *EXITS}
    totals = table.groupby("from_class")["percent_a_month"].sum()
    np.testing.assert_allclose(totals, 100.0, rtol=1e-12)


def test_severities_are_named() -> None:
    assert SEVERITY == ("least", "most")
    assert all(low < high for low, high in pairwise(item.days_from for item in find_regime("ifrs9").classes))


def test_a_file_with_faults_is_no_regime() -> None:
    with pytest.raises(InputError, match="classes is missing"):
        spec_from_text("kind: regime\nname: x\ntitle: x\nsource: assumption, for a test\n", "x.yaml", Regime)
