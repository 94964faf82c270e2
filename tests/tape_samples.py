"""A small canonical tape as text, for tests that spoil it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from scenarios.tape_fields import TAPE_FIELDS

HEADER = tuple(field.name for field in TAPE_FIELDS)

_FIRST = {
    "loan_id": "00123",
    "as_of_date": "2024-12-31",
    "origination_date": "2023-06",
    "original_balance": "25000",
    "current_balance": "20000.10",
    "rate": "0.0999",
    "original_term": "72",
    "remaining_term": "54",
    "scheduled_payment": "463.15",
    "days_past_due": "0",
    "score": "655",
    "score_type": "FICO 8",
    "payment_to_income": "0.11",
    "co_borrower": "false",
    "region": "TX",
    "sector": "construction",
    "channel": "Dealer, West",
    "product": "purchase_loan",
    "vehicle": "suv",
    "vehicle_make": "TOYOTA",
    "vehicle_model": "RAV4",
    "model_year": "2023",
    "vehicle_new": "true",
    "vehicle_value": "27500",
    "value_source": "msrp",
    "amortisation": "level",
    "balloon": "",
    "mileage": "15",
    "income": "4210.50",
    "income_verified": "true",
    "tracker": "false",
    "starter_interrupt": "false",
    "credit_insured": "false",
    "modified": "false",
    "repossessed": "false",
}


def rows(count: int = 4) -> list[dict[str, str]]:
    """Sound rows with ids 00123, 00124, ... and balances 20000.10, 19000.20, ..."""
    return [
        {
            **_FIRST,
            "loan_id": f"{123 + place:05d}",
            "current_balance": f"{20000 - 1000 * place % 15000}.{(place + 1) % 10}0",
        }
        for place in range(count)
    ]


def as_text(table: Sequence[Mapping[str, str]], header: Sequence[str] = HEADER) -> str:
    """Rows as CSV text with a header line."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, header, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(table)
    return stream.getvalue()


def with_cell(column: str, value: str, place: int = 1) -> list[dict[str, str]]:
    """Sound rows but for one cell; `place` 1 stands on line 3."""
    table = rows()
    table[place][column] = value
    return table


def write(folder: Path, content: str | bytes, name: str = "tape.csv") -> Path:
    """A file with this content."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
