"""How a function that kernels call is compiled for them: as a part of each, and not by itself (docs/decisions/016).

Numba optimises every function and turns it into machine code before its callers are compiled, and then again as part of
each of them.  They need only the last.
"""

from __future__ import annotations

import gc
from typing import Any

from numba import _dynfunc
from numba.core import event, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.dispatcher import Dispatcher

COLLECTION = (10_000, 10, 1_000)
"""Thresholds of Python's garbage collector while numba compiles: it keeps nearly all that it makes."""


class PartLibrary(JITCodeLibrary):  # type: ignore[misc]
    """Code of one function and of what it calls, neither optimised nor made executable."""

    def _optimize_final_module(self) -> None:
        """Nothing: its callers' passes see all of it."""

    def _finalize_final_module(self) -> None:
        """Nothing but the mark: there is nothing to run."""
        self._finalized = True


def _no_entry(library: PartLibrary, described: Any, environment: Any) -> Any:
    """What stands where a function's entry from Python would: by this object its callers know it."""
    name = described.qualname.split(".")[-1]
    return _dynfunc.make_function(described.lookup_module(), name, "only kernels call this", 0, environment, (library,))


class PartCompiler(CompilerBase):  # type: ignore[misc]
    """Numba's own passes, with a PartLibrary at their end."""

    def define_pipelines(self) -> list[Any]:
        """The passes of a function that is to be compiled."""
        state = self.state
        state.library = PartLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.targetctx = state.targetctx.subtarget(get_executable=_no_entry)
        return [DefaultPassBuilder.define_nopython_pipeline(state)]


def _plain(given: types.Type) -> types.Type:
    """The type as which a function takes an argument: a signed integer of any width or value as one of 64 bits."""
    found = given.literal_type if isinstance(given, types.Literal) else given
    return types.int64 if found in types.signed_domain else found


def as_part(kernel: Any, part: Any) -> Any:
    """Let a kernel's callers have `part`, the same function compiled as a part of them, and see it for few types.

    Numba would compile it for each width of integers that a record's fields have, and for each number that is written
    in a call or with which a variable begins.
    """
    if not isinstance(kernel, Dispatcher):  # numba is switched off
        return kernel
    found = part.get_call_template

    def get_call_template(args: Any, kws: Any) -> Any:
        return found([_plain(arg) for arg in args], {name: _plain(arg) for name, arg in kws.items()})

    kernel.get_call_template = get_call_template
    kernel.get_overload = part.get_overload
    return kernel


class _FewCollections(event.Listener):  # type: ignore[misc]
    """Lets Python look for garbage less often while a function and what it calls are compiled."""

    def __init__(self) -> None:
        self.depth = 0
        self.before = gc.get_threshold()

    def on_start(self, event: Any) -> None:
        """Of a function within a function too: numba's lock keeps all others out."""
        if self.depth == 0:
            self.before = gc.get_threshold()
            if 0 < self.before[0] < COLLECTION[0]:  # neither switched off nor rarer already
                gc.set_threshold(*COLLECTION)
        self.depth += 1

    def on_end(self, event: Any) -> None:
        """As it was, once the outermost is compiled."""
        self.depth -= 1
        if self.depth == 0:
            gc.set_threshold(*self.before)


event.register("numba:compile", _FewCollections())
