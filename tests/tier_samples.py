"""Loans of real data sets by score band: samples that shipped profiles and parameter sets were computed from."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

LUXURY = ("ACURA", "AUDI", "BMW", "CADILLAC", "GENESIS", "INFINITI", "JAGUAR", "LAND ROVER", "LEXUS", "LINCOLN")
LUXURY += ("MERCEDES-B", "VOLVO")
VAN_STARTS = ("SIENNA", "ODYSSEY", "SEDONA", "TOWN & COU", "GRAND CARA", "PACIFICA", "TRANSIT", "PROMASTER")
BODIES = {"1": "car", "2": "truck", "3": "suv"}

# Bands of the CFPB Consumer Credit Panel.
BANDS = {
    "us_super_prime": (720, 900),
    "us_prime": (660, 719),
    "us_near_prime": (620, 659),
    "us_subprime": (580, 619),
    "us_deep_subprime": (300, 579),
}
ALLY_WEIGHT_OF_USED = 0.451
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
Rows = list[dict[str, Any]]


def _segment(make: str, model: str, code: str) -> str:
    if make in LUXURY:
        return "luxury"
    if model.startswith("PRIUS") or "HYB" in model or model == "COROLLA HY":
        return "hybrid"
    if model.startswith(VAN_STARTS) or model.endswith("VAN"):
        return "van"
    return BODIES.get(code, "other")


def _world_omni(folder: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(folder / "WORLD_OMNI_FINANCIAL_CORP.csv.gz", "rt") as stream:
        for row in csv.DictReader(stream):
            yield {
                "score": float(row["obligorCreditScore"]),
                "amount": float(row["originalLoanAmount"]),
                "term": float(row["originalLoanTerm"]),
                "rate": float(row["reportingPeriodInterestRatePercentage"]),
                "loan_to_value": float(row["originalLoanAmount"]) / float(row["vehicleValueAmount"]),
                "payment_to_income": float(row["paymentToIncomePercentage"]) or np.nan,
                "used": float(row["vehicleNewUsedCode"] == "2"),
                "co_borrower": row["coObligorIndicator"] == "true",
                "segment": _segment(row["vehicleManufacturerName"], row["vehicleModelName"], row["vehicleTypeCode"]),
                "vehicle_age": max(int(row["originationDate"][3:]) - int(row["vehicleModelYear"]), 0),
            }


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _santander(folder: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(folder / "AggregateChargeOffs.csv.gz", "rt") as stream:
        for row in csv.DictReader(stream):
            month, _, year = row["reportingPeriodEndingDate"].split("/")
            elapsed = max(int(row["originalLoanTerm"]) - int(row["remainingTermToMaturityNumber"]), 0)
            originated = (int(year) * 12 + int(month) - 1 - elapsed) // 12
            yield {
                "score": _number(row["obligorCreditScore"]),
                "amount": float(row["originalLoanAmount"]),
                "term": float(row["originalLoanTerm"]),
                "rate": float(row["originalInterestRatePercentage"]),
                "loan_to_value": _number(row["LTV"]) / 100,
                "payment_to_income": _number(row["paymentToIncomePercentage"]) or np.nan,
                "used": float(row["vehicleNewUsedCode"] == "2"),
                "co_borrower": row["coObligorIndicator"] == "1",
                "segment": _segment("", "", row["vehicleTypeCode"]),
                "vehicle_age": max(originated - int(row["vehicleModelYear"]), 0),
            }


def _ally(folder: Path) -> Iterator[dict[str, Any]]:
    for name in ("aart1342new_2017", "aart2171_2017"):
        with gzip.open(folder / f"{name}.csv.gz", "rt") as stream:
            for row in csv.DictReader(stream):
                yield {
                    "score": _number(row["obligorCreditScore"]),
                    "amount": float(row["originalLoanAmount"]),
                    "rate": float(row["originalInterestRatePercentage"]),
                    "loan_to_value": float(row["originalLoanAmount"]) / float(row["vehicleValueAmount"]),
                    "payment_to_income": _number(row["paymentToIncomePercentage"]),
                    "used": float(row["vehicleNewUsedCode"] == "2"),
                    "vehicle_age": max(int(row["originationDate"][3:]) - int(row["vehicleModelYear"]), 0),
                }


SETS: dict[str, tuple[str, Callable[[Path], Iterator[dict[str, Any]]]]] = {
    "World Omni": ("world_omni_2020", _world_omni),
    "Santander": ("santander_2017", _santander),
    "Ally": ("ally_2017", _ally),
}


@cache
def sample(words: str) -> Rows:
    name, reader = SETS[words]
    return list(reader(DATA / name))


def band(words: str, profile: str) -> Rows:
    """Loans of a data set within the score band of a profile."""
    name, _ = SETS[words]
    if not (DATA / name).is_dir():
        pytest.skip(f"real data '{name}' does not lie beside this checkout")
    low, high = BANDS[profile]
    return [row for row in sample(words) if low <= row["score"] <= high]


def column(rows: Rows, name: str) -> NDArray[np.float64]:
    return np.array([row[name] for row in rows], dtype=float)


def lines(file: str) -> list[dict[str, str]]:
    """Rows of a CSV file of the real data, texts; the test is skipped where it is absent."""
    path = DATA / file
    if not path.is_file():
        pytest.skip(f"real data '{file}' does not lie beside this checkout")
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as stream:
        return list(csv.DictReader(stream))


AUCTION = "car_transactions/us_auction_mmr_10k_2014_15.csv.gz"
MILE = 1.609344
"""Kilometres."""


def auction_cars() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Age in years, from October before the model year to the sales of December 2014, and kilometres of each car.

    Cars without odometer or price, below 1,000 and above 400,000 miles (999,999 means unknown) are left out.
    """
    ages, miles = [], []
    for row in lines(AUCTION):
        figures = [_number(row[name]) for name in ("year", "odometer", "mmr", "sellingprice")]
        if np.isfinite(figures).all() and 1_000 < figures[1] <= 400_000:
            ages.append(2014.97 - (figures[0] - 0.25))
            miles.append(figures[1])
    return np.array(ages), np.array(miles) * MILE
