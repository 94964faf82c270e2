"""Speed measured beside what others reach: commands of the checkout, not part of the installed package.

`python -m benchmarks.peers` times the engine beside the same job in NumPy, JAX and numba.
"""
