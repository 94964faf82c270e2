"""Filings of the SEC's form ABS-EE as text: sound records of auto loans, for tests that spoil them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from simulator.tape import LoanTape, read_tape

NAMESPACE = "http://www.sec.gov/edgar/document/absee/autoloan/assetdata"

_FIRST = {
    "assetTypeNumber": "Test Trust 2024-1",
    "assetNumber": "000210281729929454301",
    "reportingPeriodBeginningDate": "12-01-2024",
    "reportingPeriodEndingDate": "12-31-2024",
    "originatorName": "Test Finance",
    "originationDate": "06/2023",
    "originalLoanAmount": "25000.00000000",
    "originalLoanTerm": "72",
    "loanMaturityDate": "06/2029",
    "originalInterestRatePercentage": "0.0999",
    "paymentTypeCode": "2",
    "subvented": "0",
    "vehicleManufacturerName": "Toyota",
    "vehicleModelName": "RAV4",
    "vehicleNewUsedCode": "1",
    "vehicleModelYear": "2023",
    "vehicleTypeCode": "3",
    "vehicleValueAmount": "27500",
    "vehicleValueSourceCode": "2",
    "obligorCreditScoreType": "FICO Auto 8",
    "obligorCreditScore": "655",
    "obligorIncomeVerificationLevelCode": "3",
    "coObligorIndicator": "false",
    "paymentToIncomePercentage": "0.11",
    "obligorGeographicLocation": "TX",
    "remainingTermToMaturityNumber": "54",
    "reportingPeriodModificationIndicator": "false",
    "reportingPeriodInterestRatePercentage": "0.0999",
    "reportingPeriodActualEndBalanceAmount": "20000.10",
    "reportingPeriodScheduledPaymentAmount": "463.15",
    "currentDelinquencyStatus": "0",
    "repossessedIndicator": "false",
}

Element = tuple[str, str]


def record(**changes: str | None) -> list[Element]:
    """Elements of one sound record, with changes; None leaves an element out."""
    return [(name, value) for name, value in {**_FIRST, **changes}.items() if value is not None]


def records(count: int, **changes: str) -> list[list[Element]]:
    """Sound records with ids of their own."""
    return [record(assetNumber=f"{place:021d}", **changes) for place in range(1, count + 1)]


def changed(change: Mapping[str, str | None], count: int = 3) -> list[list[Element]]:
    """Sound records, the second of them with a change."""
    table = records(count)
    table[1] = record(**{"assetNumber": f"{2:021d}", **change})
    return table


def as_xml(loans: Iterable[Sequence[Element]], *, line: str = "\n") -> str:
    """A filing; `line` stands between records."""
    assets = (f"<assets>{''.join(f'<{name}>{value}</{name}>' for name, value in loan)}</assets>" for loan in loans)
    start = f'<?xml version="1.0" encoding="UTF-8"?>{line}<assetData xmlns="{NAMESPACE}">{line}'
    return f"{start}{line.join(assets)}{line}</assetData>"


def read(folder: Path, loans: Iterable[Sequence[Element]], *, line: str = "\n", strict: bool = False) -> LoanTape:
    """The tape of a filing."""
    path = folder / "ex102.xml"
    path.write_text(as_xml(loans, line=line), "utf-8")
    return read_tape(path, "reg_ab_xml", strict=strict)


def write_bulky(path: Path, loans: int, bulk: int) -> int:
    """A filing whose records carry `bulk` bytes that no field reads; its size in bytes."""
    filler = "".join(f"<unread{n}>{'x' * 100}</unread{n}>" for n in range(bulk // 120))
    head, _, tail = as_xml([record(assetNumber="ID", originatorName="BULK")]).partition("<assets>")
    body, _, end = tail.rpartition("</assets>")
    body = body.replace("<originatorName>BULK</originatorName>", filler)
    with path.open("w", encoding="utf-8") as stream:
        stream.write(head)
        for place in range(loans):
            stream.write(f"<assets>{body.replace('ID', str(place), 1)}</assets>")
        stream.write(end)
    return path.stat().st_size


def _peak(path: Path) -> int:
    tracemalloc.start()
    try:
        read_tape(path, "reg_ab_xml")
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def check_bounded(folder: Path, loans: int, bulk: int) -> None:
    """What no field reads adds next to nothing to the memory that a filing takes."""
    slim, bulky = folder / "slim.xml", folder / "bulky.xml"
    small, large = write_bulky(slim, loans, 0), write_bulky(bulky, loans, bulk)
    peak, bulky_peak = _peak(slim), _peak(bulky)
    assert large > 8 * small
    # The header holds the names of the unread elements; a megabyte is less than a twentieth of what was added.
    assert bulky_peak < peak + (1 << 20) < peak + (large - small) / 8
