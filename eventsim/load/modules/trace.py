"""Running a module once, and writing down where everything in it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import UnsupportedNetwork
from eventsim.load.modules.expressions import Expression, State, Term, Unknown, scaled
from eventsim.load.modules.functions import (
    IN_PLACE,
    SHAPE_ONLY,
    apply,
    function_name,
    plain_name,
    tensors,
)
from eventsim.load.modules.layers import LAYERS, Layer, Reader
from eventsim.load.modules.recognise import Recognised, described, recognised

__all__ = ["Call", "Trace", "traced"]

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
    """

    what: str | Layer
    number: int
    reads: Any
    base: int
    shape: tuple[int, ...]
    constant: Any = None
    feedback: Any = None
    spikes: Array | None = None


class Trace:
    """What a run of a module showed.

    Attributes
    ----------
    neurons : dict of str to Recognised
        By the path of their module.
    calls : list of Call
        In the order in which they were made.
    input_shape : tuple of int
        Of the sample input, whose labels are the first ones.
    outputs : list
        What is known of the tensors that the module returned.
    """

    def __init__(self, module: Any) -> None:
        from torch.utils.weak import WeakTensorKeyDictionary

        self.places = {id(m): described(path, m) for path, m in module.named_modules()}
        self.paths = {id(m): path for path, m in module.named_modules()}
        self.neurons: dict[str, Recognised] = {}
        self.where: dict[str, str] = {}
        self.calls: list[Call] = []
        self.counts: dict[str, int] = {}
        self.outputs: list[Any] = []
        self.input_shape: tuple[int, ...] = ()
        self.next = 1
        self._values = WeakTensorKeyDictionary()
        self._reader = Reader()
        self._stack: list[tuple[str, str]] = []
        self._inside: Any = None
        self._entering: tuple[Any, list[Any]] = (None, [])
        self._last: dict[str, Any] = {}
        self._busy = False
        self._find(module, "")

    def _find(self, module: Any, path: str) -> None:
        """Recognise neurons; what is inside of them is theirs."""
        where = described(path, module)
        if type(module).__name__ in (
            "ScriptModule",
            "RecursiveScriptModule",
            "TopLevelTracedModule",
        ):
            raise UnsupportedNetwork(
                f"{where}: expected a module in Python, whose steps can be followed, got a "
                "compiled one: give the module that it was compiled from"
            )
        found = recognised(module, where)
        if found is not None:
            self.neurons[path], self.where[path] = found, where
            return
        for name, child in module.named_children():
            self._find(child, f"{path}.{name}" if path else name)

    # What is known of tensors

    def of(self, tensor: Any) -> Any:
        """What is known of a tensor; None of a constant."""
        return self._values.get(tensor)

    def _set(self, tensor: Any, known: Any) -> None:
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
        self._set(tensor, self.block(tensor.shape, tensor.device))

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
            self._mend(target, args)
            with self._aside():
                before, was = target.clone(), self.of(target)

            def known(tensor: Any) -> Any:
                return was if tensor is before else self.of(tensor)

        result = func(*args, **kwargs)
        with self._aside():
            results = args[:1] if writes else tensors(result)
            entering = (before, *args[1:]) if writes else args
            self._note(full, func, entering, kwargs, known, list(results))
            if writes:
                self._changed(args[0])
        return result

    @contextmanager
    def _aside(self) -> Iterator[None]:
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
                self._set(tensor, None)
            return
        if not results:
            return
        done: Any = None
        if "out" not in kwargs:
            if name in LAYERS:
                done = self._layer(name, func, args, kwargs, results)
            else:
                done = apply(full, func, args, kwargs, known, results[0].shape)
        if done is None or len(done) != len(results):
            sources = [s for t in tensors((args, kwargs)) if (s := known(t)) is not None]
            done = [Unknown(full, self._place, sources)] * len(results)
        for tensor, value in zip(results, done, strict=True):
            self._set(tensor, value)

    def _mend(self, target: Any, args: tuple[Any, ...]) -> None:
        """``a[k] += b`` changes a part of ``a`` and then puts it where it is already."""
        known = self.of(target)
        if (
            len(args) == 3
            and isinstance(known, Unknown)
            and known.changed_by is not None
            and known.changed_by is args[2]
        ):
            self._set(target, known.before)

    def _changed(self, target: Any) -> None:
        """A tensor was written into: others that share its memory are other values now."""
        memory = target.untyped_storage().data_ptr()
        others = [t for t in list(self._values) if t is not target]
        if target._is_view() and target._base is not None:
            others.append(target._base)
        for other in others:
            if other is not target and other.untyped_storage().data_ptr() == memory:
                known = self.of(other)
                if isinstance(known, Expression | None):
                    self._set(
                        other,
                        Unknown(
                            "a change in place through another tensor of the same memory",
                            self._place,
                            before=known,
                            changed_by=target,
                        ),
                    )

    @property
    def _place(self) -> str:
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

        path, where = self._stack[-1] if self._stack else ("", self._place)
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

    # Modules

    def before_module(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A module is entered."""
        if self._inside is not None:
            return
        path = self.paths.get(id(module), "")
        self._stack.append((path, self.places.get(id(module), self._place)))
        if path in self.neurons and id(module) in self.paths:
            given = tensors((args, kwargs))
            if not given:
                raise UnsupportedNetwork(f"{self.where[path]}: input: expected a tensor, got none")
            number = self.counts.get(path, 0)
            self._check_states(path, number, given[1:])
            self._entering = (given[0], [])
            self._inside = module

    def after_module(self, module: Any, result: Any) -> None:
        """A module is left."""
        if self._inside is not None and self._inside is not module:
            return
        if self._inside is module:
            self._inside = None
            self._spiked(self._stack[-1][0], result)
        self._stack.pop()

    def _check_states(self, path: str, number: int, states: list[Any]) -> None:
        """What neurons get besides their input is their own state of the step before."""
        for tensor in states:
            known = self.of(tensor)
            own = isinstance(known, State) and known == State(path, number - 1)
            spikes = known is not None and known is self._last.get(path)
            with self._aside():
                fresh = known is None and number == 0 and not bool(tensor.any())
                empty = tensor.numel() == 0
            if not (own or spikes or fresh or empty):
                got = _told(known) if known is not None else "numbers of its own"
                raise UnsupportedNetwork(
                    f"{self.where[path]}: state in call {number}: expected zeros in the first "
                    f"call and what the call before returned in the others, got {got}"
                )

    def _spiked(self, path: str, result: Any) -> None:
        """Write down a call of neurons."""
        import torch

        given = tensors(result)
        if not given:
            raise UnsupportedNetwork(f"{self.where[path]}: output: expected spikes, got no tensor")
        spikes, rule = given[0], self.neurons[path]
        number = self.counts.get(path, 0)
        self.counts[path] = number + 1
        entering = self._entering[0]
        with self._aside():
            done = self.block(spikes.shape, spikes.device)
            base = self.next - spikes.numel()
            if rule.amplitude != 1.0:
                done = scaled(done, float(rule.amplitude), spikes.shape)
            before = self._last.get(path)
            for state in given[1:]:
                if state is not spikes:
                    self._set(state, State(path, number))
            array = spikes.detach().cpu().numpy().copy()
            value = spikes.detach().clone()
        if rule.feed is not None:
            entering = rule.feed(entering)
        reads, feedback = self._read(entering), None
        if rule.recurrent is not None:
            back = torch.zeros_like(value)
            with self._aside():
                if not rule.sequence and before is not None:
                    self._set(back, before)
                elif rule.sequence:
                    self._set(back, _late(done, rule.time_axis))
            fed = self._read(rule.recurrent(back))
            if not isinstance(fed, Expression):
                reads = fed
            elif isinstance(reads, Expression):
                reads, feedback = Expression(reads.terms + fed.terms, reads.constant), fed.constant
        with self._aside():
            self._set(spikes, done)
            self._last[path] = done
        self.calls.append(
            Call(path, number, reads, base, tuple(spikes.shape), feedback=feedback, spikes=array)
        )

    def _read(self, tensor: Any) -> Any:
        known = self.of(tensor)
        with self._aside():
            return Expression([], tensor.detach().double()) if known is None else known


def _double(value: Any) -> Any:
    return value.double() if hasattr(value, "is_floating_point") else value


def _told(known: Any) -> str:
    if isinstance(known, State):
        return f"the state that call {known.call} of {known.path} returned"
    if isinstance(known, Unknown):
        return f"the result of {known.function} in {known.place}"
    return "a signal"


def _late(spikes: Expression, axis: int) -> Expression:
    """The spikes of the step before in a sequence."""
    import torch

    labels = spikes.terms[0].labels
    first = torch.zeros_like(labels.narrow(axis, 0, 1))
    late = torch.cat([first, labels.narrow(axis, 0, labels.shape[axis] - 1)], axis)
    return Expression([Term(late, spikes.terms[0].coefficient)])


def traced(module: Any, tensor: Any, run: Callable[[Any, Any], Any]) -> Trace:
    """Run ``run(module, tensor)`` in evaluation, without gradients, and follow it."""
    import torch
    from torch.overrides import TorchFunctionMode

    trace = Trace(module)
    for rule in trace.neurons.values():
        if rule.reset is not None:
            rule.reset()

    class Following(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            return trace.call(func, args, kwargs or {})

    handles = []
    for part in module.modules():
        handles.append(
            part.register_forward_pre_hook(
                lambda m, args, kwargs: trace.before_module(m, args, kwargs), with_kwargs=True
            )
        )
        handles.append(part.register_forward_hook(lambda m, args, out: trace.after_module(m, out)))
    try:
        with torch.no_grad(), Following():
            trace.enter(tensor)
            result = run(module, tensor)
            trace.outputs = [known for t in tensors(result) if (known := trace.of(t)) is not None]
    finally:
        for handle in handles:
            handle.remove()
    return trace
