"""Verdicts on many differences at once: Holm's procedure, at 5 % for the whole family.

Source: Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statistics 6 (1979), 65-70. It needs no
independence of the tests, which measures of one set of paths lack.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtr

from outputs.estimators import CONFIDENCE, Estimate, Sample

FAMILY_ERROR: Final = 1.0 - CONFIDENCE
"""Probability of one false verdict or more among all of a scenario, where no strategy differs from the baseline."""

BETTER, WORSE, NOT_TOLD_APART, NOT_TESTED = "better", "worse", "not told apart", "not tested"
VERDICTS: Final = (BETTER, WORSE, NOT_TOLD_APART, NOT_TESTED)
TOLD_APART: Final = frozenset({BETTER, WORSE})


def two_sided(found: Estimate, sample: Sample) -> float:
    """Probability of a difference as large or larger by chance alone, by the normal or, for few batches, Student's law.

    NaN, so not tested, where the sample does not tell the error or too few paths lie beyond a quantile. A difference
    without error is certain: 0, or 1 if it is none.
    """
    error = found.standard_error
    if found.unreliable or not math.isfinite(error) or not math.isfinite(found.value):
        return math.nan
    if error == 0.0:
        return 1.0 if found.value == 0.0 else 0.0
    distance = -abs(found.value) / error
    few = sample.shared and sample.n_batches > 1
    return 2.0 * float(stdtr(sample.n_batches - 1, distance) if few else ndtr(distance))


def holm(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Adjusted p-values: a test is rejected at a family-wise error e where its adjusted p-value is e or less.

    Parameters
    ----------
    p_values : sequence of float
        Of m tests, in any order; NaN of one that was not made, which counts among the m all the same.

    Returns
    -------
    float64[m]
        With p(1) <= ... <= p(m): the largest of (m - j + 1) p(j) over j <= i, at most 1; NaN where p is.
    """
    given = np.asarray(p_values, dtype=np.float64)
    plain = np.where(np.isnan(given), 1.0, given)
    order = np.argsort(plain, kind="stable")
    steps = np.maximum.accumulate((plain.size - np.arange(plain.size)) * plain[order])
    adjusted = np.empty_like(plain)
    adjusted[order] = np.minimum(steps, 1.0)
    return np.where(np.isnan(given), math.nan, adjusted)


def judge(family: Sequence[dict[str, Any]], more_is_better: Collection[str]) -> list[dict[str, Any]]:
    """Rows of a family of differences with `adjusted_p` and `verdict`.

    Parameters
    ----------
    family : sequence of dict
        With measure, value and p_value.
    more_is_better : collection of str
        Measures of which a positive difference is good.
    """
    adjusted = holm([row["p_value"] for row in family])
    return [
        {**row, "adjusted_p": float(p), "verdict": _verdict(row, float(p), more_is_better)}
        for row, p in zip(family, adjusted, strict=True)
    ]


def _verdict(row: dict[str, Any], adjusted: float, more_is_better: Collection[str]) -> str:
    if math.isnan(adjusted):
        return NOT_TESTED
    if adjusted > FAMILY_ERROR:
        return NOT_TOLD_APART
    gains = row["value"] if row["measure"] in more_is_better else -row["value"]
    return BETTER if gains > 0.0 else WORSE
