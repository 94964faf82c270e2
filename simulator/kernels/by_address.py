"""How a bundle of arrays reaches a kernel: as the address of a block of memory that holds its arrays' headers.

Numba hands a named tuple over member by member, and an array in it as seven values and more.  A function that takes a
book, its hazards and all scratch would have more than a thousand arguments, and each call of it would copy them.  A
bundle that is handed over by its address is one argument; a field is read where it is used (docs/decisions/017).
"""

from __future__ import annotations

import hashlib
from functools import reduce
from itertools import accumulate
from typing import Any, TypeVar

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AttributeTemplate
from numba.extending import (
    NativeValue,
    infer_getattr,
    lower_getattr_generic,
    models,
    register_model,
    typeof_impl,
    unbox,
)

Class = TypeVar("Class")

WORD = 8
"""Bytes of a header's every member: addresses, 64-bit numbers, and what is smaller in a word of its own."""


class Bundle(types.Type):
    """Numba's type of a bundle: the class, and the types of its fields."""

    def __init__(self, bundled: type, fields: tuple[types.Type, ...]) -> None:
        self.fields = dict(zip(bundled._fields, fields, strict=True))  # type: ignore[attr-defined]
        if other := [str(field) for field in fields if not isinstance(field, KEPT)]:
            message = f"{bundled.__name__} holds {other[0]}; a bundle's fields are arrays, numbers or other bundles"
            raise TypeError(message)
        sizes = [len(_members(field)) for field in fields]
        self.words = sum(sizes)
        self.first_word = dict(zip(self.fields, accumulate(sizes, initial=0), strict=False))
        # The name stands in the name of every function that takes the bundle: short, and no two alike.
        described = repr([(name, str(field)) for name, field in self.fields.items()])
        digest = hashlib.sha256(described.encode()).hexdigest()
        super().__init__(f"{bundled.__name__}_{digest[:12]}")


KEPT = (types.Array, types.Integer, types.Float, types.Boolean, Bundle)
"""What a field may be: an array, or what fits into a word."""


def _members(field: types.Type) -> list[tuple[str, int | None]]:
    """What of a field's value is kept, a word each: member and, of a member for each axis, axis; empty names a whole.

    What numba keeps of an array for its reference counts is not: kernels have none.
    """
    if not isinstance(field, types.Array):
        return [("", None)]
    axes = [(name, axis) for name in ("shape", "strides") for axis in range(field.ndim)]
    return [("nitems", None), ("itemsize", None), ("data", None), *axes]


@register_model(Bundle)
class _Address(models.OpaqueModel):  # type: ignore[misc]
    """An address, and LLVM knows how much may be read there: so it takes reads out of loops in which they are rare."""

    def from_argument(self, builder: Any, value: Any) -> Any:
        """The argument as it is."""
        value.attributes.dereferenceable = self._fe_type.words * WORD
        return value


def by_address(bundled: type[Class]) -> type[Class]:
    """Let kernels take instances of a NamedTuple by address; the class itself stays as it is."""

    def typeof_bundle(value: Any, context: Any) -> Bundle:
        return Bundle(bundled, tuple(typeof_impl(field, context) for field in value))

    typeof_impl.register(bundled, typeof_bundle)
    return bundled


@infer_getattr
class _BundleFields(AttributeTemplate):  # type: ignore[misc]
    """Types of a bundle's fields."""

    key = Bundle

    def generic_resolve(self, bundle: Bundle, name: str) -> types.Type | None:
        """Type of a field, or None where there is none of that name."""
        return bundle.fields.get(name)


def _at(builder: Any, address: Any, word: int, kind: Any) -> Any:
    """Address of a word that holds a value of an LLVM type."""
    place = builder.gep(address, [ir.Constant(ir.IntType(64), word * WORD)], inbounds=True)
    return builder.bitcast(place, kind.as_pointer())


def _way(model: Any, member: str, axis: int | None) -> tuple[int, ...]:
    """Where a member is in an array's value."""
    found = model.get_field_position(member)
    return (found,) if axis is None else (found, axis)


@lower_getattr_generic(Bundle)  # type: ignore[untyped-decorator]
def _read(context: Any, builder: Any, bundle: Bundle, address: Any, name: str) -> Any:
    """Read a field.  What a bundle holds never changes while a kernel runs, and LLVM is told so."""
    field, word = bundle.fields[name], bundle.first_word[name]
    model = context.data_model_manager[field]
    found = cgutils.get_null_value(model.get_value_type())
    for offset, (member, axis) in enumerate(_members(field)):
        way = _way(model, member, axis) if member else ()
        kind = reduce(lambda whole, step: whole.elements[step], way, found.type) if member else model.get_data_type()
        value = builder.load(_at(builder, address, word + offset, kind))
        value.set_metadata("invariant.load", builder.module.add_metadata([]))
        if isinstance(field, Bundle):
            size = ir.Constant(ir.IntType(64), field.words * WORD)
            value.set_metadata("dereferenceable", builder.module.add_metadata([size]))
        found = builder.insert_value(found, value, way) if member else model.from_data(builder, value)
    return found


@unbox(Bundle)  # type: ignore[untyped-decorator]
def _hand_over(bundle: Bundle, given: Any, context: Any) -> NativeValue:
    """Write a bundle's words to memory of the caller's, and hand over their address."""
    builder, native, failed = context.builder, context.context, cgutils.false_bit
    room = cgutils.alloca_once(builder, ir.ArrayType(ir.IntType(8 * WORD), max(bundle.words, 1)))
    address = builder.bitcast(room, cgutils.voidptr_t)
    for place, (name, field) in enumerate(bundle.fields.items()):
        model, word = native.data_model_manager[field], bundle.first_word[name]
        value = context.unbox(field, context.pyapi.tuple_getitem(given, place))
        failed = builder.or_(failed, value.is_error)
        for offset, (member, axis) in enumerate(_members(field)):
            kept = builder.extract_value(value.value, _way(model, member, axis)) if member else value.value
            stored = kept if member else model.as_data(builder, kept)
            builder.store(stored, _at(builder, address, word + offset, stored.type))
    # Nothing that reads through the address may move before what was written: it comes from where LLVM cannot look.
    kind = ir.FunctionType(cgutils.voidptr_t, [cgutils.voidptr_t])
    opaque = builder.asm(kind, "", "=r,0,~{memory}", [address], side_effect=True)
    return NativeValue(opaque, is_error=failed)
