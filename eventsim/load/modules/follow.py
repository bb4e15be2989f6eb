"""Following torch's functions while a module runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.load.modules.expressions import Expression, Term, Unknown, moved
from eventsim.load.modules.functions import (
    IN_PLACE,
    SHAPE_ONLY,
    apply,
    function_name,
    plain_name,
    tensors,
)
from eventsim.load.modules.layers import LAYERS, Layer, Reader

__all__ = ["Call", "Follower"]

Array = NDArray[Any]


@dataclass
class Call:
    """One call of neurons or of a layer; its results have the labels from ``base`` on.

    Attributes
    ----------
    what : str or Layer
        Path of the neurons, or the layer.
    number : int
        How many calls of it came before; for neurons only.
    reads : Expression, Unknown or State
        Its input.
    base, shape : int, tuple of int
        First label and shape of what it gave.
    constant : tensor or None
        Of a layer: what it makes of a constant input, with its bias.
    feedback : tensor or None
        Of neurons: the constant part of what comes back from their own spikes.
    spikes : array or None
        Of neurons: what they gave.
    potential : array or None
        Of neurons that are never reset: their potentials after the call.
    """

    what: str | Layer
    number: int
    reads: Any
    base: int
    shape: tuple[int, ...]
    constant: Any = None
    feedback: Any = None
    spikes: Array | None = None
    potential: Array | None = None


class Follower:
    """Knows of each tensor what it is made of, and writes down the calls of layers.

    Attributes
    ----------
    calls : list of Call
        In the order in which they were made.
    input_shape : tuple of int
        Of the sample input, whose labels are the first ones.
    next : int
        The first label that is not used.
    """

    def __init__(self) -> None:
        from torch.utils.weak import WeakTensorKeyDictionary

        self.calls: list[Call] = []
        self.input_shape: tuple[int, ...] = ()
        self.next = 1
        self._values = WeakTensorKeyDictionary()
        self._reader = Reader()
        #: Path and description of the modules that are being called.
        self._stack: list[tuple[str, str]] = []
        #: The neurons that are being called, whose functions are not followed.
        self._inside: Any = None
        self._busy = False

    def of(self, tensor: Any) -> Any:
        """What is known of a tensor; None of a constant."""
        return self._values.get(tensor)

    def set(self, tensor: Any, known: Any) -> None:
        """Write down what a tensor is made of; None for a constant."""
        if known is None:
            self._values.pop(tensor, None)
        else:
            self._values[tensor] = known

    def block(self, shape: Any, device: Any) -> Expression:
        """New labels for a source."""
        import torch

        size = int(np.prod(shape, dtype=np.int64))
        labels = torch.arange(self.next, self.next + size, device=device).reshape(shape)
        self.next += size
        return Expression([Term(labels)])

    def enter(self, tensor: Any) -> None:
        """Make a tensor the module's input."""
        self.input_shape = tuple(tensor.shape)
        self.set(tensor, self.block(tensor.shape, tensor.device))

    # Functions

    def call(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function of torch and write down what its results are."""
        if self._busy or self._inside is not None:
            return func(*args, **kwargs)
        given = tensors((args, kwargs))
        if all(self.of(tensor) is None for tensor in given):
            return func(*args, **kwargs)
        full = function_name(func)
        last = full.rpartition(".")[2]
        writes = last in IN_PLACE or (last.endswith("_") and not last.endswith("__"))
        known, before = self.of, None
        if writes:
            target = args[0]
            with self.aside():
                before, was = target.clone(), self.of(target)

            def known(tensor: Any) -> Any:
                return was if tensor is before else self.of(tensor)

        result = func(*args, **kwargs)
        with self.aside():
            results = args[:1] if writes else tensors(result)
            entering = (before, *args[1:]) if writes else args
            self._note(full, func, entering, kwargs, known, list(results))
            if writes:
                self._changed(args[0])
        return result

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Work of the trace itself, which leaves no trace."""
        busy, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = busy

    def _note(
        self,
        full: str,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        known: Callable[[Any], Any],
        results: list[Any],
    ) -> None:
        name = plain_name(full)
        if name in SHAPE_ONLY or f"{name}_" in SHAPE_ONLY:
            for tensor in results:
                self.set(tensor, None)
            return
        if not results:
            return
        done: Any = None
        if "out" not in kwargs:
            if name in LAYERS:
                done = self._layer(name, func, args, kwargs, results)
            elif name == "relu" and args and self._is_count(known(args[0])):
                done = [known(args[0])]
            else:
                done = apply(full, func, args, kwargs, known, results[0].shape)
        if done is None or len(done) != len(results):
            sources = [s for t in tensors((args, kwargs)) if (s := known(t)) is not None]
            done = [Unknown(full, self.place, sources)] * len(results)
        for tensor, value in zip(results, done, strict=True):
            constant = isinstance(value, Expression) and not value.terms
            self.set(tensor, None if constant else value)

    def _is_count(self, known: Any) -> bool:
        """Whether a tensor is a sum of spikes with factors >= 0, which relu leaves as it is."""
        if not isinstance(known, Expression):
            return False
        factors = [known.constant, *(term.coefficient for term in known.terms)]
        if any(bool((factor < 0).any()) for factor in factors if hasattr(factor, "any")):
            return False
        if any(factor < 0 for factor in factors if isinstance(factor, float)):
            return False
        spikes = [call for call in self.calls if call.spikes is not None]
        for term in known.terms:
            labels = term.labels[term.labels > 0]
            found = sum(
                int(((labels >= call.base) & (labels < call.base + math.prod(call.shape))).sum())
                for call in spikes
            )
            if found != labels.numel():
                return False
        return True

    def _changed(self, target: Any) -> None:
        """A tensor was written into: so were others that share its memory."""
        memory = target.untyped_storage().data_ptr()
        others = [tensor for tensor in list(self._values) if tensor is not target]
        if target._is_view() and all(target._base is not tensor for tensor in others):
            others.append(target._base)
        now = self.of(target)
        for other in others:
            if other is target or other.untyped_storage().data_ptr() != memory:
                continue
            was = self.of(other)
            if isinstance(was, Expression | None) and isinstance(now, Expression | None):
                if was is not None or now is not None:
                    self.set(other, _overwritten(other, was, target, now))
            else:
                self.set(other, Unknown("a write into its memory", self.place, [now, was]))

    @property
    def place(self) -> str:
        """The module that is being called, as messages name it."""
        return self._stack[-1][1] if self._stack else "the function that runs it"

    def _layer(
        self,
        name: str,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        results: list[Any],
    ) -> list[Expression] | None:
        """Write down a call of a layer."""
        import torch

        path, where = self._stack[-1] if self._stack else ("", self.place)
        try:
            entering = args[0] if args else kwargs["input"]
            rest = [t for t in tensors((args[1:], kwargs)) if t is not entering]
            if any(self.of(tensor) is not None for tensor in rest):
                return None
            found = self._reader.read(name, where, path or name, args, kwargs)
        except (KeyError, TypeError, ValueError):
            return None
        if found is None:
            return None
        entering, layer, bias = found
        reads = self.of(entering)
        if not isinstance(reads, Expression) or entering.dim() < layer.axes:
            return None
        constant = None
        if reads.constant is not None and bool(reads.constant.any()):
            if layer.relay:
                return None
            wide = [_double(value) for value in args[1:]]
            rest_wide = {k: _double(v) for k, v in kwargs.items() if k != "input"}
            constant = func(reads.constant, *wide, **rest_wide)
        elif bias is not None:
            along = [-1, *[1] * (layer.axes - 1)]
            constant = bias.double().view(along).broadcast_to(results[0].shape)
        done = self.block(results[0].shape, results[0].device)
        base = self.next - int(np.prod(results[0].shape, dtype=np.int64))
        self.calls.append(Call(layer, 0, reads, base, tuple(results[0].shape), constant))
        if constant is not None and bool(torch.count_nonzero(constant)):
            done.constant = constant
        return [done]


def _overwritten(
    other: Any, was: Expression | None, target: Any, now: Expression | None
) -> Expression:
    """What a tensor is made of after ``target``, which shares its memory, was written into."""
    import torch

    def places(tensor: Any) -> Any:
        size = tensor.untyped_storage().nbytes() // tensor.element_size()
        every = torch.arange(size, device=tensor.device)
        return every.as_strided(tensor.size(), tensor.stride(), tensor.storage_offset())

    here = places(target).reshape(-1)
    index = torch.full((int(here.max()) + 1,), -1, device=here.device)
    index[here] = torch.arange(here.numel(), device=here.device)
    at = places(other)
    at = torch.where(at < index.numel(), index[at.clamp(max=index.numel() - 1)], -1)
    hit = at >= 0

    def move(pair: list[Any]) -> Any:
        written = pair[0].clone()
        written[hit] = pair[1].reshape(-1)[at[hit]].to(written.dtype)
        return written

    return moved([(other, was), (target, now)], move)[0]


def _double(value: Any) -> Any:
    return value.double() if hasattr(value, "is_floating_point") else value
