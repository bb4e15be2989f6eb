"""Blocks of numbers that kernels hold in registers.

A block is :data:`BLOCK` float64 that are worked on together. The compiler keeps it in as few vector
registers as the machine has room for (four of AVX-512, eight of AVX), so a loop can hold the
potentials of a block of neurons through thousands of arrivals, while an array would be loaded and
stored at each. All operations are those of IEEE 754, lane by lane, so they give the same bits on
any machine; :func:`fma` rounds once.

A block is a local variable of a kernel: it is neither handed to Python nor kept in arrays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model
from numpy.typing import NDArray

__all__ = [
    "BLOCK", "PART", "absolute", "add", "any_at_least", "at_least", "blend",
    "count_below", "first_lane", "fma", "lesser", "load", "mul", "on_cache_lines", "prefetch",
    "put", "some_at_least", "splat", "store",
]  # fmt: skip

#: Lanes of a block. Two blocks and a threshold fill half of the registers of AVX-512.
BLOCK = 32

#: Lanes that are compared together: those of the widest register there is.
PART = 8

_NONE = ir.IntType(PART)(0)
_VECTOR = ir.VectorType(ir.DoubleType(), BLOCK)
_CHOICE = ir.VectorType(ir.IntType(1), BLOCK)
_LANES = ir.IntType(BLOCK)
_KEYS = ir.VectorType(ir.IntType(64), PART)


class _Block(types.Type):
    """Numba's type of a block."""

    def __init__(self) -> None:
        super().__init__(name="Block")


_block = _Block()


@register_model(_Block)
class _BlockModel(models.PrimitiveModel):
    def __init__(self, manager: Any, front_end: Any) -> None:
        super().__init__(manager, front_end, _VECTOR)


def on_cache_lines(*shape: int) -> NDArray[np.float64]:
    """Zeros that begin where a cache line does: no register is then filled from two of them.

    >>> on_cache_lines(3, BLOCK).shape, on_cache_lines(8).ctypes.data % 64
    ((3, 32), 0)
    """
    size, line = math.prod(shape), 64
    room = np.zeros(size + line // 8)
    first = (-room.ctypes.data % line) // 8
    return room[first : first + size].reshape(shape)


def _address(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """Where the lanes of ``array[index:]`` begin; the array is one contiguous run of float64."""
    array = context.make_array(signature.args[0])(context, builder, args[0])
    return builder.bitcast(builder.gep(array.data, [args[1]]), _VECTOR.as_pointer())


def _call(builder: Any, name: str, result: Any, args: Any) -> Any:
    """Call one of LLVM's own functions."""
    kind = ir.FunctionType(result, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


def _constants(numbers: Sequence[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(numbers)), list(numbers))


def _splat(builder: Any, x: Any, vector: Any) -> Any:
    nothing = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(nothing, x, ir.IntType(32)(0))
    return builder.shuffle_vector(first, nothing, _constants([0] * vector.count))


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """The block that begins at ``array[index]``. Nothing is checked."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_address(context, builder, signature, args), align=8)

    return _block(array, index), generate


@intrinsic
def store(typing: Any, array: Any, index: Any, block: Any) -> Any:
    """Put a block into ``array[index:]``. Nothing is checked."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _address(context, builder, signature, args), align=8)
        return context.get_dummy_value()

    return types.void(array, types.int64, _block), generate


@intrinsic
def prefetch(typing: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of ``array[index]``, of any type. A hint: nothing is checked."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        address = builder.bitcast(builder.gep(array.data, [args[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        hint = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(hint, [address, number(0), number(3), number(1)])  # to read, in all caches
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@intrinsic
def splat(typing: Any, x: Any) -> Any:
    """A block of equal numbers."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _splat(builder, args[0], _VECTOR)

    return _block(types.float64), generate


@intrinsic
def add(typing: Any, a: Any, b: Any) -> Any:
    """Sums, lane by lane."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fadd(*args)

    return _block(_block, _block), generate


@intrinsic
def mul(typing: Any, a: Any, b: Any) -> Any:
    """Products, lane by lane."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fmul(*args)

    return _block(_block, _block), generate


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, lane by lane, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _call(builder, f"llvm.fma.v{BLOCK}f64", _VECTOR, args)

    return _block(_block, _block, _block), generate


def _places(builder: Any, args: Any) -> Any:
    """In which places of a register some part of a block has ``a >= b``, as bits."""
    found = ir.VectorType(ir.IntType(1), PART)(None)
    for at in range(0, BLOCK, PART):
        places = _constants(range(at, at + PART))
        a, b = (builder.shuffle_vector(block, block, places) for block in args)
        found = builder.or_(found, builder.fcmp_ordered(">=", a, b))
    return builder.bitcast(found, ir.IntType(PART))


@intrinsic
def absolute(typing: Any, a: Any) -> Any:
    """Absolute values, lane by lane."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _call(builder, f"llvm.fabs.v{BLOCK}f64", _VECTOR, args)

    return _block(_block), generate


@intrinsic
def lesser(typing: Any, a: Any, b: Any) -> Any:
    """The lesser of two numbers, lane by lane; ``b`` where one is no number."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", *args), *args)

    return _block(_block, _block), generate


@intrinsic
def any_at_least(typing: Any, a: Any, b: Any) -> Any:
    """Whether ``a >= b`` in any lane."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.icmp_unsigned("!=", _places(builder, args), _NONE)

    return types.boolean(_block, _block), generate


@intrinsic
def some_at_least(typing: Any, a: Any, b: Any) -> Any:
    """A number that is not 0 where ``a >= b`` in any lane, at most 255.

    With it several conditions that depend on data become one number, and one branch.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.zext(_places(builder, args), ir.IntType(32))

    return types.int32(_block, _block), generate


@intrinsic
def at_least(typing: Any, a: Any, b: Any) -> Any:
    """The lanes with ``a >= b`` as bits of an integer."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = builder.fcmp_ordered(">=", *args)
        return builder.zext(builder.bitcast(lanes, _LANES), ir.IntType(64))

    return types.int64(_block, _block), generate


@intrinsic
def put(typing: Any, a: Any, lanes: Any, b: Any) -> Any:
    """The block ``a``, but ``b`` in the lanes that an integer holds as bits."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        here = builder.bitcast(builder.trunc(args[1], _LANES), _CHOICE)
        return builder.select(here, args[2], args[0])

    return _block(_block, types.int64, _block), generate


@intrinsic
def first_lane(typing: Any, lanes: Any) -> Any:
    """The lowest of the lanes that an integer holds as bits; it holds at least one."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.IntType(1)(1))

    return types.int64(types.int64), generate


@intrinsic
def blend(typing: Any, lanes: Any, a: Any, b: Any) -> Any:
    """``a`` in the lanes that an integer holds as bits, and ``b`` in the others."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        chosen = ir.VectorType(ir.IntType(1), BLOCK)
        lanes = builder.bitcast(builder.trunc(args[0], _LANES), chosen)
        return builder.select(lanes, *args[1:])

    return _block(types.int64, _block, _block), generate


@intrinsic
def count_below(typing: Any, keys: Any, index: Any, key: Any) -> Any:
    """How many of the int64 ``keys[index : index + PART]`` are less than ``key``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        place = builder.bitcast(builder.gep(array.data, [args[1]]), _KEYS.as_pointer())
        below = builder.icmp_signed(
            "<", builder.load(place, align=8), _splat(builder, args[2], _KEYS)
        )
        return builder.zext(builder.ctpop(builder.bitcast(below, ir.IntType(PART))), ir.IntType(64))

    return types.int64(keys, types.int64, types.int64), generate
