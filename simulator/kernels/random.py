"""Counter-based draws: a draw is a pure function of its address (methodology, equation D1).

Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; SC 2011).
Key: the seed's low and high word.  Counter: entity low, entity high, path, slot.
Words are held in uint64 variables below 2**32; the masks before each product tell LLVM so, and it
multiplies 32 by 32 bits, four lanes at a time (measured: 4.3 ns a draw without, see docs/decisions).
"""

from __future__ import annotations

import math

import numpy as np

from scenarios.vocabulary import EVENT_SLOT, PURPOSES_PER_MONTH
from simulator.kernels.compile import compiled

MASK = np.uint64(0xFFFFFFFF)
SHIFT = np.uint64(32)
MULTIPLIER_0 = np.uint64(0xD2511F53)
MULTIPLIER_1 = np.uint64(0xCD9E8D57)
WEYL_0 = np.uint64(0x9E3779B9)
WEYL_1 = np.uint64(0xBB67AE85)
ROUNDS = 10
TO_UNIT = 2.0**-32
WORDS = 4
SLOTS_PER_MONTH = PURPOSES_PER_MONTH // WORDS


@compiled(inline=True)
def philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """Four 32-bit words (as uint64) of Philox4x32-10 for a counter and a key of 32-bit words."""
    for _ in range(ROUNDS):
        product_0 = MULTIPLIER_0 * (c0 & MASK)
        product_1 = MULTIPLIER_1 * (c2 & MASK)
        c0, c1, c2, c3 = (
            (product_1 >> SHIFT) ^ c1 ^ k0,
            product_1 & MASK,
            (product_0 >> SHIFT) ^ c3 ^ k1,
            product_0 & MASK,
        )
        k0 = (k0 + WEYL_0) & MASK
        k1 = (k1 + WEYL_1) & MASK
    return c0, c1, c2, c3


@compiled(inline=True)
def unit(word):  # type: ignore[no-untyped-def]
    """Map a 32-bit word to the open interval (0, 1); never 0, never 1."""
    return (np.float64(word) + 0.5) * TO_UNIT


@compiled(inline=True)
def block_at(entity, path, slot, seed):  # type: ignore[no-untyped-def]
    """Return the four words at an address: entity uint64, path, slot, seed uint64."""
    return philox(entity & MASK, entity >> SHIFT, np.uint64(path), np.uint64(slot), seed & MASK, seed >> SHIFT)


@compiled(inner=True)
def draw_blocks(entity, address, word_0, word_1, word_2, word_3):  # type: ignore[no-untyped-def]
    """Draw the four words of each entity's block at an address (path, slot, seed): ``uint32[entity]`` each."""
    path, slot, seed = address
    for item in range(entity.size):
        w0, w1, w2, w3 = block_at(entity[item], path, slot, seed)
        word_0[item] = w0
        word_1[item] = w1
        word_2[item] = w2
        word_3[item] = w3


@compiled()
def event_uniform(entity, path, month, purpose, seed):  # type: ignore[no-untyped-def]
    """Uniform of an event draw: slot = 2**16 + month * 16 + purpose // 4, word = purpose % 4."""
    words = block_at(entity, path, EVENT_SLOT + month * SLOTS_PER_MONTH + purpose // WORDS, seed)
    return unit(words[purpose % WORDS])


# Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37 (1988) 477-484: normal quantile to
# about 1e-16.  The table holds numerators and denominators of its three regions, highest power first.
_CENTRE = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
     1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
     5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0),
)  # fmt: skip
_SHOULDER = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
     3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
     6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0),
)  # fmt: skip
_TAIL = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
     2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
     1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0),
)  # fmt: skip


@compiled()
def _ratio(coefficients, x):  # type: ignore[no-untyped-def]
    numerator, denominator = 0.0, 0.0
    for power in range(8):
        numerator = numerator * x + coefficients[0][power]
        denominator = denominator * x + coefficients[1][power]
    return numerator / denominator


@compiled()
def normal_quantile(u):  # type: ignore[no-untyped-def]
    """Standard normal quantile of u in (0, 1), AS 241."""
    centred = u - 0.5
    if abs(centred) <= 0.425:
        return centred * _ratio(_CENTRE, 0.180625 - centred * centred)
    tail = math.sqrt(-math.log(min(u, 1.0 - u)))
    size = _ratio(_SHOULDER, tail - 1.6) if tail <= 5.0 else _ratio(_TAIL, tail - 5.0)
    return size if centred > 0.0 else -size


@compiled()
def draw_normals(entities, first_path, seed, normals):  # type: ignore[no-untyped-def]
    """Fill ``float64[path, entity, month]`` with the dense monthly draws of named entities, as normals."""
    paths, named, months = normals.shape
    for row in range(paths):
        for item in range(named):
            for slot in range((months + WORDS - 1) // WORDS):
                words = block_at(entities[item], first_path + row, slot, seed)
                for word in range(min(WORDS, months - slot * WORDS)):
                    normals[row, item, slot * WORDS + word] = normal_quantile(unit(words[word]))
