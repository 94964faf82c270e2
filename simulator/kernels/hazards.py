"""Intensities of entry into arrears on a path: a cell's response to its latent factor.

Both responses have one argument x = threshold + loading * Y, prepared outside the loan loop:
lognormal, intensity exp(x); probit, intensity -ln(1 - Phi(x)) (methodology (3a), (3b)).
"""

from __future__ import annotations

import math

from simulator.kernels.compile import compiled

TABLE_LOW = -12.0
TABLE_HIGH = 9.0
TABLE_STEP = 1.0 / 128.0


@compiled()
def tabulated_response(x, table):  # type: ignore[no-untyped-def]
    """-ln(1 - Phi(x)) by cubic Hermite interpolation; absolute error below 1e-9 on the table.

    Beyond the table's ends the end value holds: a probability below 2e-33 or above 1 - 1e-19.
    """
    place = (min(max(x, TABLE_LOW), TABLE_HIGH) - TABLE_LOW) / TABLE_STEP
    node = min(int(place), table.shape[0] - 2)
    s = place - node
    rise = table[node + 1, 0] - table[node, 0]
    bend_left = TABLE_STEP * table[node, 1] - rise
    bend_right = rise - TABLE_STEP * table[node + 1, 1]
    return table[node, 0] + s * (rise + (1.0 - s) * (bend_left * (1.0 - s) + bend_right * s))


@compiled()
def fill_entry_intensities(path, hazards, scale, entry, top):  # type: ignore[no-untyped-def]
    """Fill ``entry[month, cell]`` with the intensity of entry of each cell on one path, ``top`` with the largest.

    `scale` float64[cell] multiplies them (P16).
    """
    roots = hazards.factor_root
    factors = hazards.factor[path]
    for month in range(1, entry.shape[0]):
        top[month] = 0.0
        for cell in range(entry.shape[1]):
            y = 0.0
            for part in range(roots.size):
                y += roots[part] * factors[hazards.cell_factor[cell, part], month]
            x = hazards.threshold[month, cell] + hazards.loading[cell] * y
            if hazards.response_table.shape[0] > 0:
                entry[month, cell] = tabulated_response(x, hazards.response_table)
            else:
                entry[month, cell] = math.exp(x)
            entry[month, cell] *= scale[cell]
            top[month] = max(top[month], entry[month, cell])
