"""The logarithm of a draw, written so that the compiler takes eight at a time.

The compiler has no vectorised logarithm (3.1 ns each against 0.7, docs/performance.md), and an exponential
waiting time is the logarithm of a uniform.
"""

from __future__ import annotations

import numpy as np

from simulator.kernels.compile import compiled

# A double's bits: 52 of the fraction; those of sqrt(1/2), the least reduced argument.
_FRACTION = np.int64(52)
_LEAST = np.int64(0x3FE6A09E00000000)
_WORD_BITS = np.int64(32)
# ln 2 in two parts, the first with so few bits that its product with an exponent is exact.
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# ln(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)), s = f / (2 + f); R's coefficients of the least largest error are those of
# fdlibm (Sun Microsystems, e_log.c, 1993; error below 2^-58).
_R = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)


@compiled(inline=True)
def waiting(word):  # type: ignore[no-untyped-def]
    """-ln((word + 1/2) / 2^32): the standard exponential of a 32-bit word; error at most 1 unit in the last place."""
    x = np.float64(word) + 0.5
    bits = np.float64(x).view(np.int64)
    exponent = (bits - _LEAST) >> _FRACTION
    f = np.int64(bits - (exponent << _FRACTION)).view(np.float64) - 1.0
    s = f / (2.0 + f)
    z = s * s
    tail = z * (_R[3] + z * (_R[4] + z * (_R[5] + z * _R[6])))
    rest = z * (_R[0] + z * (_R[1] + z * (_R[2] + tail)))
    half = 0.5 * f * f
    power = np.float64(exponent - _WORD_BITS)
    return ((half - (s * (half + rest) + power * _LN2_LOW)) - f) - power * _LN2_HIGH
