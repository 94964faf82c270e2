"""Mapping files: units, dates, codes, joined ids, what extends what, and what is refused."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

import tape_samples as samples
from scenarios.errors import InputError
from simulator.tape import load_layout, mapping_names, read_tape
from simulator.tape.dates import form_pattern, parse_date
from simulator.tape.read import FORMATS

HEAD = "kind: tape_mapping\nname: ours\n"


def _mapping(folder: Path, body: str, name: str = "ours.yaml") -> Path:
    return samples.write(folder, HEAD + body, name)


def _read(folder: Path, body: str, **changes: str) -> object:
    table = [{**row, **changes} for row in samples.rows()]
    return read_tape(samples.write(folder, samples.as_text(table)), mapping=_mapping(folder, body))


def test_shipped_mappings_load() -> None:
    assert sorted(mapping_names()) == sorted(FORMATS)
    layout = load_layout("reg_ab")
    assert layout.currency == "USD"
    assert layout.fields["loan_id"].column == "assetNumber"
    assert dict(layout.fields["vehicle"].codes or {})["98"] == "other"


@pytest.mark.parametrize(
    ("body", "changes", "field", "value"),
    [
        ("fields: {rate: {column: rate, unit: percent}}", {"rate": "9.99"}, "rate", 0.0999),
        ("fields: {rate: {column: rate, unit: percent}}", {"rate": "7"}, "rate", 0.07),
        ("fields: {current_balance: {column: current_balance, unit: cents}}", {"current_balance": "1234567"},
         "current_balance", 12345.67),
        ("fields: {original_balance: {column: original_balance, unit: thousands}}", {"original_balance": "25.1"},
         "original_balance", 25100.0),
        ("fields: {original_term: {column: original_term, unit: years}}", {"original_term": "6"}, "original_term", 72),
        ("fields: {region: {constant: BY}}", {}, "region", "BY"),
        ("fields: {days_past_due: {constant: 0}}", {}, "days_past_due", 0),
        ("fields: {vehicle_new: {constant: true}}", {}, "vehicle_new", True),
        ("fields: {as_of_date: {constant: 2024-12-30}}", {}, "as_of_date", datetime.date(2024, 12, 30)),
        ("fields: {as_of_date: {column: as_of_date, date_format: D.M.YYYY}}", {"as_of_date": "3.9.2024"},
         "as_of_date", datetime.date(2024, 9, 3)),
        ("fields: {vehicle: {column: vehicle, codes: {1: car, 2: truck}}}", {"vehicle": "2"}, "vehicle", "truck"),
        ("fields: {vehicle: {column: vehicle, codes: {1: car, 2: truck}}}", {"vehicle": "1.0"}, "vehicle", "car"),
        ("fields: {vehicle_new: {column: vehicle_new, codes: {N: true, U: false}}}", {"vehicle_new": "U"},
         "vehicle_new", False),
        ("fields: {sector: {column: sector, missing_values: [n/k], default: farming}}", {"sector": "n/k"},
         "sector", "farming"),
        ("missing_values: [unknown]\nfields: {sector: {column: sector}}", {"sector": "unknown"}, "sector", "unknown"),
        ("vehicle_by_make: {Tesla: ev}", {"vehicle_make": "TESLA"}, "vehicle", "ev"),
        ("fields: {income: {column: income, unit: per_year}}", {"income": "42000"}, "income", 3500.0),
        ("fields: {income: {column: income, unit: per_year}}", {"income": "10000.01"}, "income", 10000.01 / 12),
        ("fields: {mileage: {column: mileage, unit: miles}}", {"mileage": "10000"}, "mileage", 16093.44),
        ("fields: {mileage: {column: mileage, unit: ten_thousands}}", {"mileage": "4.5"}, "mileage", 45000.0),
        ("fields: {amortisation: {column: way, codes: {A: linear}, default: interest_only}}", {}, "amortisation",
         "interest_only"),
    ],
)  # fmt: skip
def test_a_field_is_read_as_mapped(
    tmp_path: Path, body: str, changes: dict[str, str], field: str, value: object
) -> None:
    tape = _read(tmp_path, f"extends: canonical\n{body}\n", **changes)
    found = tape[field][0]  # type: ignore[index]
    assert (found.item() if hasattr(found, "item") else found) == value


@pytest.mark.parametrize(
    ("rates", "expected", "word"),
    [
        (["5.9", "7.9", "0.9", "11.9"], [0.059, 0.079, 0.009, 0.119], "percent"),
        (["0.059", "0.079", "0.009", "2.5"], [0.059, 0.079, 0.009, 2.5], "fraction"),
        (["0", "0", "0", "5.9"], [0.0, 0.0, 0.0, 0.059], "percent"),
        (["0", "0", "0", "0"], [0.0, 0.0, 0.0, 0.0], None),
    ],
)
def test_percent_or_fraction_is_guessed_by_the_median_and_said(
    tmp_path: Path, rates: list[str], expected: list[float], word: str | None
) -> None:
    table = [{**row, "rate": rate} for row, rate in zip(samples.rows(), rates, strict=True)]
    mapping = _mapping(tmp_path, "extends: canonical\nfields: {rate: {column: rate, unit: guess}}\n")
    tape = read_tape(samples.write(tmp_path, samples.as_text(table)), mapping=mapping)
    assert tape["rate"].tolist() == expected
    sentences = [guess for guess in tape.report.guesses if guess.startswith("rate (rate) was read as a")]
    assert [word in sentence for sentence in sentences] == ([True] if word else [])


def test_numbers_that_mean_not_stated_are_compared_as_numbers(tmp_path: Path) -> None:
    body = "extends: canonical\nfields: {payment_to_income: {column: payment_to_income, missing_values: [999.99]}}\n"
    tape = _read(tmp_path, body, payment_to_income="999.990")
    assert tape.report.missing == {"payment_to_income": 4}  # type: ignore[attr-defined]
    assert tape.report.guesses == (  # type: ignore[attr-defined]
        "payment_to_income (payment_to_income): 4 cells hold 999.99, which was read as not stated.",
    )


def test_unreadable_optional_cells_may_count_as_not_stated(tmp_path: Path) -> None:
    body = "extends: canonical\nfields: {score: {column: score, unreadable: missing}}\n"
    tape = _read(tmp_path, body, score="None")
    assert tape.report.missing == {"score": 4}  # type: ignore[attr-defined]
    assert tape.report.guesses[0] == "score (score): 4 cells are not a number, which was read as not stated."  # type: ignore[attr-defined]


TESTED = "{column: modified, true_where: [{column: extended, above: 0}, {column: kind, among: [3, 4]}]}"


@pytest.mark.parametrize(
    ("field", "cells", "found"),
    [
        (TESTED, {"modified": "false", "extended": "0", "kind": ""}, False),
        (TESTED, {"modified": "false", "extended": "2", "kind": ""}, True),
        (TESTED, {"modified": "", "extended": "0", "kind": "1; 4"}, True),
        (TESTED, {"modified": "true", "extended": "0", "kind": "1"}, True),
        (TESTED, {"modified": "", "extended": "0", "kind": "1"}, False),
        (TESTED.replace("column: modified, ", ""), {"modified": "true", "extended": "0", "kind": ""}, False),
        (TESTED.replace("column: modified, ", ""), {"extended": "", "kind": "3.0"}, True),
        (TESTED.replace("column: modified", "column: none"), {"extended": "", "kind": "3.0"}, True),
    ],
)
def test_a_flag_may_be_told_from_other_columns(tmp_path: Path, field: str, cells: dict[str, str], found: bool) -> None:
    table = [{**row, **cells} for row in samples.rows()]
    mapping = _mapping(tmp_path, f"extends: canonical\nfields: {{modified: {field}}}\n")
    text = samples.as_text(table, [*samples.HEADER, "extended", "kind"])
    tape = read_tape(samples.write(tmp_path, text), mapping=mapping, strict=True)
    assert tape["modified"].tolist() == [found] * 4
    assert "modified" not in tape.report.defaults
    assert not any("modified" in note for note in tape.report.notes)


def test_a_flag_that_no_column_tells_takes_its_default(tmp_path: Path) -> None:
    mapping = _mapping(tmp_path, f"extends: canonical\nfields: {{modified: {TESTED.replace('modified', 'none')}}}\n")
    report = read_tape(samples.write(tmp_path, samples.as_text(samples.rows())), mapping=mapping).report
    assert report.defaults == {"modified": 4}
    assert "The file has no column none: modified is not stated." in report.notes


def test_joined_id_needs_all_parts(tmp_path: Path) -> None:
    table = samples.rows()
    table[2]["region"] = ""
    body = "extends: canonical\nfields: {loan_id: {columns: [loan_id, region], separator: /}, region: {constant: X}}\n"
    tape = read_tape(samples.write(tmp_path, samples.as_text(table)), mapping=_mapping(tmp_path, body))
    assert tape["loan_id"].tolist() == ["00123/TX", "00124/TX", "00126/TX"]
    assert tape.report.rejected[0].column == "loan_id+region"


def test_delimiter_and_encoding(tmp_path: Path) -> None:
    table = [{**row, "region": "广东", "channel": "直营"} for row in samples.rows()]
    text = samples.as_text(table).replace(",", ";")
    mapping = _mapping(tmp_path, 'extends: canonical\ncurrency: CNY\nencoding: gb18030\ndelimiter: ";"\n')
    tape = read_tape(samples.write(tmp_path, text.encode("gb18030")), mapping=mapping)
    assert (tape["region"][0], tape["channel"][0], tape.currency) == ("广东", "直营", "CNY")


def test_chains_of_mappings_override_field_by_field(tmp_path: Path) -> None:
    _mapping(tmp_path, "extends: reg_ab\ncurrency: EUR\nfields: {region: {constant: BY}}\n", "base.yaml")
    top = _mapping(tmp_path, "extends: base.yaml\nfields: {loan_id: {columns: [a, b]}}\n", "top.yaml")
    layout = load_layout(top)
    assert layout.name == "ours on ours on reg_ab"
    assert layout.currency == "EUR"
    assert layout.fields["loan_id"].source_columns == ("a", "b")
    assert layout.fields["region"].constant == "BY"
    assert layout.fields["rate"].unit == "guess"


REFUSED = [
    ("extends: reg_abx\n", ["unknown tape mapping `reg_abx`", "canonical, cn_labels", "reg_ab`?"]),
    ("extends: none.yaml\n", ["none.yaml"]),
    ("extends: ours.yaml\n", ["extends itself (ours.yaml -> ours.yaml)", "Remove one `extends`."]),
    ("fields: {region: {constant: X}}\n", ["no source for loan_id, as_of_date", "extend a mapping that has them"]),
    ("extends: canonical\nfields: {ratee: {column: x}}\n", ["ours.yaml:4:", "ratee", "rate"]),
    ("extends: canonical\nfields: {rate: {column: x, constant: 1}}\n", ["ours.yaml:4:", "expected one of column"]),
    ("extends: canonical\nfields: {rate: {unit: percent}}\n", ["no source given"]),
    ("extends: canonical\nfields: {rate: {column: x, unit: cents}}\n", ["unit cents does not fit", "percent"]),
    ("extends: canonical\nfields: {region: {column: x, unit: percent}}\n", ["expected no unit"]),
    ("extends: canonical\nfields: {rate: {columns: [x, y]}}\n", ["columns joins texts"]),
    ("extends: canonical\nfields: {rate: {column: x, date_format: MM}}\n", ["date_format is for dates"]),
    ("extends: canonical\nfields: {rate: {column: x, unreadable: missing}}\n", ["this one is required"]),
    ("extends: canonical\nfields: {as_of_date: {column: x, date_format: MM/DD/YY}}\n", ["MM/DD/YY", "YYYY"]),
    ("extends: canonical\ncurrency: dollars\n", ["ours.yaml:4:", "currency"]),
    ("extends: canonical\nencoding: ebcdic\n", ["ours.yaml:4:", "utf-8"]),
    ("extends: canonical\nfields: {rate: {constant: 9.99}}\n", ["fields.rate.constant", "'9.99'", "0 to 4"]),
    ("extends: canonical\nfields: {vehicle: {column: vehicle, default: boat}}\n", ["fields.vehicle.default", "'boat'"]),
    ("extends: canonical\nvehicle_by_make: {TESLA: spaceship}\n", ["spaceship", "segments among car"]),
    ("extends: canonical\nfields: {rate: {column: x}}\nfields: {}\n", ["ours.yaml:5:", "fields"]),
    (
        "extends: canonical\nfields: {balloon: {column: x, unit: per_year}}\n",
        ["unit per_year does not fit", "units"],
    ),
    ("extends: canonical\nfields: {mileage: {column: x, unit: units}}\n", ["unit units does not fit", "or miles"]),
    ("extends: canonical\nfields: {rate: {column: x, true_where: [{column: y, above: 0}]}}\n", ["is for flags"]),
    (
        "extends: canonical\nfields: {tracker: {constant: true, true_where: [{column: y, above: 0}]}}\n",
        ["true_where goes with column or alone"],
    ),
    ("extends: canonical\nfields: {tracker: {true_where: [{column: y}]}}\n", ["no test given"]),
    ("extends: canonical\nfields: {tracker: {true_where: [{column: y, above: 0, says: x}]}}\n", ["says"]),
]


@pytest.mark.parametrize(("body", "words"), REFUSED)
def test_faulty_mappings_are_refused(tmp_path: Path, body: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        _read(tmp_path, body)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("text", "form", "found"),
    [
        ("07-31-2020", "MM-DD-YYYY", (2020, 7, 31)),
        ("08/2019", "MM/YYYY", (2019, 8, 1)),
        ("20240229", "YYYYMMDD", (2024, 2, 29)),
        ("5.1.2024", "D.M.YYYY", (2024, 1, 5)),
        ("2024年03月", "YYYY年MM月", (2024, 3, 1)),
        ("7-31-2020", "MM-DD-YYYY", None),
        ("31-07-2020", "MM-DD-YYYY", None),
        ("07-31-2020 ", "MM-DD-YYYY", None),
        ("0７/2019", "MM/YYYY", None),
        ("08.2019", "MM/YYYY", None),
        ("0000-01", "YYYY-MM", None),
    ],
)
def test_dates_are_matched_digit_by_digit(text: str, form: str, found: tuple[int, int, int] | None) -> None:
    assert parse_date(text, (form,)) == (datetime.date(*found) if found else None)


@pytest.mark.parametrize("form", ["YY-MM-DD", "YYYY", "MM-MM-YYYY", "YYYY-MM-DDx", "", "HH:MM"])
def test_ambiguous_date_forms_are_refused(form: str) -> None:
    with pytest.raises(ValueError, match="expected YYYY, MM or M"):
        form_pattern(form)
