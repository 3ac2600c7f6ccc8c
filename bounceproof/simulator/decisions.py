# SPDX-License-Identifier: GPL-2.0-only
"""The decision points of one kernel state as a type: what reads them is compiled with
their values in it, a specialised function for each state.

A compiled function takes decision points either as an int64 array, one function for
all states, or as :class:`Decisions`, whose values are known when it is compiled.
"""

from __future__ import annotations

from typing import Any

from bounceproof.models.kernels.state import KernelState
from bounceproof.simulator.codes import codes
from bounceproof.simulator.compile import ENABLED


class Decisions(tuple[int, ...]):
    """Numbers in the order of :data:`bounceproof.simulator.codes.COLUMNS`."""

    __slots__ = ()


def decisions(state: KernelState) -> Decisions:
    """The decision points of ``state``, to be compiled in."""
    return Decisions(codes(state).tolist())


if ENABLED:
    from numba import extending, types
    from numba.core import imputils
    from numba.core.typing import templates

    _numba: Any = extending
    _lowering: Any = imputils
    _typing: Any = templates

    class DecisionsType(types.Type):
        """One type for each state's numbers."""

        def __init__(self, values: tuple[int, ...]) -> None:
            self.values = values
            super().__init__(name=f"Decisions{values}")

    _numba.register_model(DecisionsType)(_numba.models.OpaqueModel)

    def _type_of(value: Decisions, context: Any) -> DecisionsType:
        return DecisionsType(tuple(value))

    _numba.typeof_impl.register(Decisions)(_type_of)

    def _unbox(kind: Any, value: Any, context: Any) -> Any:
        return _numba.NativeValue(context.context.get_dummy_value())

    _numba.unbox(DecisionsType)(_unbox)

    @_typing.infer
    class _Read(templates.AbstractTemplate):
        """``decisions[PLACE]`` is an int64."""

        key = "static_getitem"

        def generic(self, args: Any, kws: Any) -> Any:
            if isinstance(args[0], DecisionsType):
                return _typing.signature(types.int64, *args)
            return None

    def _read(context: Any, builder: Any, signed: Any, args: Any) -> Any:
        value = signed.args[0].values[args[1]]
        return context.get_constant(types.int64, value)

    _lowering.lower_builtin("static_getitem", DecisionsType, types.Any)(_read)
