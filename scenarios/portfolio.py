"""The book of a study: drawn from a description, or read from a loan tape."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import Field, Tag

from scenarios.file_spec import one_of
from scenarios.spec import Reference, Spec


class Synthetic(Spec):
    """A portfolio that is drawn."""

    parameters: Reference | None = None
    """Parameter set that describes it, by name or path; left out: the study's first."""

    loans: Annotated[int, Field(ge=1, le=10_000_000)] = 10_000
    """Number of loans."""

    seed: Annotated[int, Field(ge=0, lt=2**64)]
    """Seed of the draw, apart from the study's."""

    as_of: datetime.date
    """Reporting date, `2024-12-31`."""

    minimum_remaining_term: Annotated[int, Field(ge=1, le=180)] | None = None
    """Keep only loans with this many months to go, or more."""


class SyntheticPortfolio(Spec):
    """A portfolio drawn from a description."""

    synthetic: Synthetic
    """The description."""


class FilePortfolio(Spec):
    """A portfolio read from a loan tape."""

    file: Reference
    """Path of the tape, CSV or XML (both also gzipped) or Parquet."""

    format: Literal["canonical", "reg_ab", "reg_ab_xml", "esma_annex5", "cn_labels"] = "canonical"
    """`canonical`: own columns, or others by a mapping; `reg_ab`: the SEC's asset-level fields as a flat file;
    `reg_ab_xml`: the SEC's filing itself (EX-102); `esma_annex5`: ESMA's template for automobiles; `cn_labels`: columns
    and codes in Chinese."""

    mapping: Reference | None = None
    """Path of a mapping file: column names, units, code lists."""

    rejected_at_most_percent: Annotated[float, Field(ge=0, le=100)] = 5.0
    """Largest share of the tape's rows, and of its balance, that may be rejected, percent; closed loans do not count.

    More refuses the run; 0 lets no row be rejected.  The default is an assumption: a clean pool has none (World Omni
    2020: 0 of 7,572), and one month of 2017 that was picked for its data problems has 2 % of its rows.
    """


Portfolio = Annotated[
    Annotated[SyntheticPortfolio, Tag("synthetic form")] | Annotated[FilePortfolio, Tag("file form")],
    one_of("{synthetic: {...}} or {file: PATH, format: ...}"),
]
