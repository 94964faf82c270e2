"""Loan lists with Chinese columns and codes: names, units in the header, encodings, code lists, oddities."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

import tape_samples as samples
from scenarios.errors import InputError
from simulator.tape import LoanTape, read_tape

_FIRST = {
    "合同号": "QC2023000123",
    "数据日期": "2024-12-31",
    "放款日": "2023-06-15",
    "贷款金额": "120000",
    "当前本金余额": "88000.55",
    "年利率": "8.50",
    "总期数": "36",
    "剩余期数": "18",
    "月供": "3788.10",
    "还款方式": "等额本息",
    "逾期天数": "0",
    "信用分": "655",
    "共同借款人": "无",
    "地区": "广东省",
    "行业": "制造业",
    "渠道": "粤海汽车销售",
    "产品类型": "新车贷款",
    "车辆类型": "越野车",
    "品牌": "丰田",
    "车型": "汉兰达",
    "年款": "2023",
    "新旧": "新车",
    "车价": "168000",
    "估值来源": "厂商指导价",
    "五级分类": "正常",
    "担保方式": "抵押",
}


def _text(rows: Sequence[Mapping[str, str]], names: Mapping[str, str] | None = None) -> str:
    """Rows as CSV, some columns under another name."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([(names or {}).get(name, name) for name in rows[0]])
    writer.writerows(row.values() for row in rows)
    return stream.getvalue()


def _rows(change: Mapping[str, str] | None = None, **everywhere: str) -> list[dict[str, str]]:
    table = [{**_FIRST, **everywhere, "合同号": f"QC202300012{place}"} for place in range(3)]
    table[1].update(change or {})
    return table


def _read(folder: Path, change: Mapping[str, str] | None = None, names: Mapping[str, str] | None = None) -> LoanTape:
    return read_tape(samples.write(folder, _text(_rows(change), names)), "cn_labels")


def _note(tape: LoanTape, start: str) -> str:
    [found] = [note for note in (*tape.report.notes, *tape.report.guesses) if note.startswith(start)]
    return found


def test_a_list_is_read(tmp_path: Path) -> None:
    tape = _read(tmp_path)
    expected = {
        "loan_id": "QC2023000120", "original_balance": 120000.0, "current_balance": 88000.55, "original_term": 36,
        "remaining_term": 18, "scheduled_payment": 3788.1, "days_past_due": 0, "score": 655.0, "co_borrower": False,
        "region": "广东省", "sector": "制造业", "channel": "粤海汽车销售", "product": "purchase_loan", "vehicle": "suv",
        "vehicle_make": "丰田", "vehicle_model": "汉兰达", "model_year": 2023.0, "vehicle_new": True,
        "vehicle_value": 168000.0, "value_source": "msrp",
    }  # fmt: skip
    assert {name: tape[name][0].item() for name in expected} == expected
    assert tape["rate"][0] == pytest.approx(0.085, rel=1e-15)
    assert (tape.currency, tape.as_of.isoformat()) == ("CNY", "2024-12-31")
    assert "was read as a percent: its median, 8.5, is above 1." in _note(tape, "rate (年利率)")


# --- encodings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("gb18030", "gb18030"), ("gbk", "gb18030")]
)
def test_encodings_are_told_apart_and_said(tmp_path: Path, encoding: str, said: str) -> None:
    content = _text(_rows({"渠道": "朱镕基路汽车城"})).encode(encoding)
    tape = read_tape(samples.write(tmp_path, content), "cn_labels", strict=True)
    assert tape["channel"].tolist() == ["粤海汽车销售", "朱镕基路汽车城", "粤海汽车销售"]
    assert f"The text was read as {said}." in tape.report.notes


def test_a_character_of_four_bytes_is_read_in_both(tmp_path: Path) -> None:
    for encoding in ("utf-8", "gb18030"):
        content = _text(_rows({"渠道": "𠮷利汽车"})).encode(encoding)
        assert read_tape(samples.write(tmp_path, content), "cn_labels")["channel"][1] == "𠮷利汽车"


def test_what_is_neither_is_refused_by_line(tmp_path: Path) -> None:
    content = _text(_rows()).encode("gb18030").replace("越野车".encode("gb18030"), b"\xff\xff", 1)
    with pytest.raises(InputError, match=r"tape\.csv:2: byte 0xff that is not gb18030"):
        read_tape(samples.write(tmp_path, content), "cn_labels")


def test_utf_16_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="text in UTF-16"):
        read_tape(samples.write(tmp_path, _text(_rows()).encode("utf-16")), "cn_labels")


# --- names and units in the header -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hint", ["贷款金额(万元)", "贷款金额（万元）", "贷款金额 (万元)", "贷款金额[万元]", "放款金额（万元）"]
)
def test_ten_thousands_in_the_header(tmp_path: Path, hint: str) -> None:
    table = _rows(贷款金额="12.3456")
    tape = read_tape(samples.write(tmp_path, _text(table, {"贷款金额": hint})), "cn_labels")
    assert tape["original_balance"].tolist() == [123456.0] * 3
    assert f"original_balance ({hint}) is in ten_thousands, as its header says." in tape.report.notes


def test_ten_thousands_of_the_balance_reconcile_to_the_cent(tmp_path: Path) -> None:
    table = _rows({"剩余期数": "x"}, 当前本金余额="8.812345")
    report = read_tape(samples.write(tmp_path, _text(table, {"当前本金余额": "本金余额(万元)"})), "cn_labels").report
    assert (report.balance_read_cents, report.balance_used_cents) == (3 * 8812345, 2 * 8812345)
    assert report.balance_rejected_cents == 8812345


@pytest.mark.parametrize(
    ("names", "cells", "field", "value"),
    [
        ({"贷款金额": "合同金额（元）"}, {"贷款金额": "120000"}, "original_balance", 120000.0),
        ({"年利率": "年利率(%)"}, {"年利率": "0.95"}, "rate", 0.0095),
        ({"年利率": "执行利率（％）"}, {"年利率": "0.95"}, "rate", 0.0095),
        ({"年利率": "年利率(小数)"}, {"年利率": "0.085"}, "rate", 0.085),
        ({"总期数": "贷款期限(年)"}, {"总期数": "3"}, "original_term", 36),
        ({"总期数": "贷款期限（月）"}, {"总期数": "36"}, "original_term", 36),
        ({"合同号": "借据号"}, {}, "loan_id", "QC2023000120"),
        ({"新旧": "新车/二手车"}, {}, "vehicle_new", True),
    ],
)
def test_other_names_and_units(
    tmp_path: Path, names: dict[str, str], cells: dict[str, str], field: str, value: object
) -> None:
    tape = read_tape(samples.write(tmp_path, _text(_rows(**cells), names)), "cn_labels", strict=True)
    assert tape[field][0].item() == pytest.approx(value)


def test_an_unknown_unit_is_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="贷款金额: no such column; expected a column for original_balance"):
        _read(tmp_path, names={"贷款金额": "贷款金额(美元)"})
    with pytest.raises(InputError, match="年利率: no such column"):
        _read(tmp_path, names={"年利率": "年利率(万元)"})
    with pytest.raises(InputError, match="年利率: no such column"):
        _read(tmp_path, names={"年利率": "月利率"})


def test_one_column_in_two_units_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"贷款金额, 贷款金额\(万元\); expected one column for original_balance"):
        _read(tmp_path, names={"车型": "贷款金额(万元)"})


# --- dates, codes, cells that state nothing ---------------------------------------------------------------------


@pytest.mark.parametrize("text", ["2023/6/5", "20230605", "2023年6月5日", "2023-06", "2023年6月", "202306"])
def test_dates(tmp_path: Path, text: str) -> None:
    assert _read(tmp_path, {"放款日": text})["origination_date"][1] == np.datetime64("2023-06")


@pytest.mark.parametrize(
    ("column", "cell", "field", "value"),
    [
        ("车辆类型", "轿车", "vehicle", "car"),
        ("车辆类型", "皮卡", "vehicle", "truck"),
        ("车辆类型", "面包车", "vehicle", "van"),
        ("车辆类型", "纯电动", "vehicle", "ev"),
        ("车辆类型", "插电混动", "vehicle", "hybrid"),
        ("品牌", "特斯拉", "vehicle", "ev"),
        ("新旧", "二手车", "vehicle_new", False),
        ("产品类型", "车抵贷", "product", "title_loan"),
        ("共同借款人", "有", "co_borrower", True),
        ("共同借款人", "否", "co_borrower", False),
        ("估值来源", "评估价", "value_source", "other"),
        ("渠道", "未知", "channel", "unknown"),
    ],
)
def test_codes(tmp_path: Path, column: str, cell: str, field: str, value: object) -> None:
    tape = _read(tmp_path, {column: cell})
    assert tape.report.rejected == ()
    assert tape[field][1] == value


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("车辆类型", "拖拉机", "vehicle = '拖拉机'; expected one of the codes 轿车,"),
        ("产品类型", "汽车抵押贷款", "Add the code to the field's `codes` in the mapping."),
        ("新旧", "准新车", "vehicle_new = '准新车'"),
        ("当前本金余额", "88,000.55", "without thousands separators"),
        ("当前本金余额", "8.8万", "currency and unit belong into the mapping"),
        ("年利率", "8.5%", "map the column with unit: percent"),
        ("逾期天数", "M1", "days_past_due = 'M1'; expected a number"),
        ("放款日", "15.06.2023", "expected a date as YYYY-MM-DD or YYYY/M/D"),
        ("地区", "不详", "region is not stated ('不详')"),
    ],
)
def test_rows_that_cannot_be_used(tmp_path: Path, column: str, cell: str, words: str) -> None:
    [row] = _read(tmp_path, {column: cell}).report.rejected
    assert (row.line, row.loan_id, row.column) == (3, "QC2023000121", column)
    assert words in row.reason


@pytest.mark.parametrize(
    ("change", "start"),
    [
        ({"五级分类": "次级"}, "五级分类: a non-performing class"),
        ({"五级分类": "六级"}, "五级分类: a class that is none of the five"),
        ({"担保方式": "信用"}, "担保方式: not secured on the car"),
        ({"担保方式": "经销商担保"}, "担保方式: guaranteed"),
        ({"担保方式": "阴阳合同"}, "担保方式: a kind of security that is not on this mapping's list"),
        ({"还款方式": "利随本清"}, "还款方式: interest falls due with the principal at the end"),
        ({"还款方式": "随借随还"}, "还款方式: a way of repaying that is not on this mapping's list"),
        ({"还款方式": "等额本金"}, "月供: 1 cell where 还款方式 is not 等额本息"),
    ],
)
def test_oddities_are_counted(tmp_path: Path, change: dict[str, str], start: str) -> None:
    tape = _read(tmp_path, change)
    assert tape.report.rejected == ()
    assert _note(tape, start).endswith(("1 row (line 3).", "read as not stated."))


@pytest.mark.parametrize(
    ("column", "cell", "field", "value"),
    [
        ("还款方式", "等额本金", "amortisation", "linear"),
        ("还款方式", "先息后本", "amortisation", "interest_only"),
        ("还款方式", "气球贷", "amortisation", "balloon"),
        ("还款方式", "随借随还", "amortisation", "level"),
        ("尾款", "30000", "amortisation", "balloon"),
        ("尾款金额（万元）", "3", "balloon", 30000.0),
        ("里程(公里)", "45000", "mileage", 45000.0),
        ("行驶里程（万公里）", "4.5", "mileage", 45000.0),
        ("月收入", "8000", "income", 8000.0),
        ("税前月收入(万元)", "0.8", "income", 8000.0),
        ("收入核实", "已核实", "income_verified", True),
        ("GPS状态", "在线", "tracker", True),
        ("是否安装GPS", "否", "tracker", False),
        ("GPS", "2", "tracker", True),
        ("断油断电", "支持", "starter_interrupt", True),
        ("担保方式", "抵押;履约险", "credit_insured", True),
        ("担保方式", "抵押", "credit_insured", False),
        ("履约险", "是", "credit_insured", True),
        ("展期标志", "展期", "modified", True),
        ("是否重组", "是", "modified", True),
        ("展期次数", "1", "modified", True),
        ("展期次数", "0", "modified", False),
        ("是否收车", "已收车", "repossessed", True),
        ("收车状态", "寻车中", "repossessed", False),
    ],
)
def test_what_the_tape_has_a_field_for_is_read(
    tmp_path: Path, column: str, cell: str, field: str, value: object
) -> None:
    table = _rows()
    for place, row in enumerate(table):
        row[column] = cell if place == 1 else row.get(column, "")
    tape = read_tape(samples.write(tmp_path, _text(table)), "cn_labels", strict=True)
    assert tape[field][1] == pytest.approx(value) if isinstance(value, float) else tape[field][1] == value


@pytest.mark.parametrize("state", ["已结清", "核销", "已转让"])
def test_a_settled_loan_is_left_out_whatever_balance_it_states(tmp_path: Path, state: str) -> None:
    table = _rows()
    for place, row in enumerate(table):
        row["贷款状态"] = state if place == 1 else "正常"
    report = read_tape(samples.write(tmp_path, _text(table)), "cn_labels").report
    assert [row.loan_id for row in report.rejected] == ["QC2023000121"]
    assert (report.rows_closed, report.rejected_share_of_balance) == (1, 0.0)


def test_a_maturity_date_serves_by_a_mapping_that_extends(tmp_path: Path) -> None:
    forms = "date_format: [YYYY-MM-DD, YYYY/M/D]"
    body = f"extends: cn_labels\nfields: {{remaining_term: {{column: 到期日, months_from: 数据日期, {forms}}}}}\n"
    mapping = samples.write(tmp_path, f"kind: tape_mapping\nname: ours\n{body}", "ours.yaml")
    table = _rows(剩余期数="2026/6/15")
    tape = read_tape(samples.write(tmp_path, _text(table, {"剩余期数": "到期日"})), mapping=mapping)
    assert tape["remaining_term"].tolist() == [18, 18, 18]
