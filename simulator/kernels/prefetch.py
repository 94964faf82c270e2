"""Asking the memory for a record before it is needed: what lies scattered over a whole book is far from the core."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import lower_builtin, type_callable

FAR = 16
"""Items of a list by which a loop that prefetches is ahead of what it does: behind a list's end is room for them."""
NEAR = 8
"""The same for a record whose place stands in one that was prefetched before."""

READ, KEEP, DATA = 0, 3, 1
"""Arguments of LLVM's prefetch: it is read, needed several times, and no code."""


def prefetch(rows: Any, item: Any) -> None:
    """Ask the memory for a row of an array; nothing waits for it, and nothing changes."""


@type_callable(prefetch)  # type: ignore[untyped-decorator]
def _type_of_prefetch(context: Any) -> Any:
    def typer(rows: Any, item: Any) -> Any:
        return types.none if isinstance(rows, types.Array) and isinstance(item, types.Integer) else None

    return typer


@lower_builtin(prefetch, types.Array, types.Integer)  # type: ignore[untyped-decorator]
def _lower_prefetch(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    rows = context.make_array(signature.args[0])(context, builder, arguments[0])
    item = context.cast(builder, arguments[1], signature.args[1], types.intp)
    byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    start = builder.bitcast(rows.data, byte)
    address = builder.gep(start, [builder.mul(item, builder.extract_value(rows.strides, 0))])
    kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    intrinsic = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    builder.call(intrinsic, [address, number(READ), number(KEEP), number(DATA)])
    return context.get_dummy_value()
