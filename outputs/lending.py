"""What each strategy lends of the book: all of it, or what its underwriting leaves (methodology (P17), (P18))."""

from __future__ import annotations

import xarray as xr


def underwrites(dataset: xr.Dataset) -> bool:
    """Whether a strategy of the result has underwriting cut-offs."""
    return "declined_count" in dataset


def principal_kept(dataset: xr.Dataset) -> xr.DataArray | float:
    """Opening principal that a strategy does not lend: declined less what takes its place (P18), currency[strategy]."""
    return dataset["declined_balance"] - dataset["replaced_balance"] if underwrites(dataset) else 0.0


def lent_balance(dataset: xr.Dataset) -> xr.DataArray | float:
    """Opening principal of the loans that a strategy lends: currency[strategy], or a number where it is the book's."""
    return float(dataset.attrs["opening_balance"]) - principal_kept(dataset)


def lent_count(dataset: xr.Dataset) -> xr.DataArray | int:
    """Loans that a strategy lends: count[strategy], or a number where they are the book's."""
    whole = int(dataset.attrs["opening_count"])
    return whole - dataset["declined_count"] + dataset["replaced_count"] if underwrites(dataset) else whole


def of_lent(dataset: xr.Dataset, name: str) -> xr.DataArray:
    """A variable of the opening book, of what a strategy lends of it: with the dim `strategy` where any declines.

    Parameters
    ----------
    name : str
        `contractual_principal`, `contractual_interest`, `opening_balance_by_stage`, `opening_count_by_stage` or
        `opening_balance_by_tier`.
    """
    return dataset[f"lent_{name}" if underwrites(dataset) else name]


def at_opening(closing: xr.DataArray, first: xr.DataArray | float) -> xr.DataArray:
    """A stock at the opening of each month: [..., path, month]; `first` is that of the first."""
    opened = closing.shift(month=1, fill_value=0)
    return opened.where(opened["month"] > opened["month"][0], first).astype(closing.dtype).transpose(*closing.dims)
