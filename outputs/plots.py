"""Pictures as functions of tables: each takes an Axes and a table of `outputs.figure_data` and returns what it drew.

Nothing here writes a file or touches pyplot's state; `outputs.figures` puts the pieces on pages.
"""

from __future__ import annotations

from outputs.plots_book import largest_change, plot_delinquency, plot_roll_rate_changes, plot_roll_rates
from outputs.plots_loss import (
    ERROR_WORDS,
    SHOWN_PROBABILITY,
    TAIL_WORDS,
    THIN_DOT,
    THIN_LINE,
    plot_bands,
    plot_exceedance,
    plot_fan,
    plot_loss_distribution,
    shown_end,
    tail_handle,
)
from outputs.plots_market import plot_macro
from outputs.plots_money import plot_cash, plot_credit_loss, plot_queue, plot_recoveries, queue_top

__all__ = [
    "ERROR_WORDS",
    "SHOWN_PROBABILITY",
    "TAIL_WORDS",
    "THIN_DOT",
    "THIN_LINE",
    "largest_change",
    "plot_bands",
    "plot_cash",
    "plot_credit_loss",
    "plot_delinquency",
    "plot_exceedance",
    "plot_fan",
    "plot_loss_distribution",
    "plot_macro",
    "plot_queue",
    "plot_recoveries",
    "plot_roll_rate_changes",
    "plot_roll_rates",
    "queue_top",
    "shown_end",
    "tail_handle",
]
