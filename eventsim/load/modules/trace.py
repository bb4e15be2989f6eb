"""Running a module once, and writing down where everything in it came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eventsim.errors import EventsimError, UnsupportedNetwork
from eventsim.load.modules.expressions import Expression, State, Term, Unknown, scaled
from eventsim.load.modules.follow import Call, Follower
from eventsim.load.modules.functions import tensors
from eventsim.load.modules.recognise import Recognised, described, forget, recognised
from eventsim.load.modules.states import changed, snapshot

__all__ = ["Trace", "traced"]

#: Modules whose functions cannot be followed.
_COMPILED = ("ScriptModule", "RecursiveScriptModule", "TopLevelTracedModule", "OptimizedModule")


class Trace(Follower):
    """What a run of a module showed.

    Attributes
    ----------
    neurons : dict of str to Recognised
        By the path of their module.
    where : dict of str to str
        How messages name them.
    outputs : list
        What is known of each tensor that the module returned, and its values.
    """

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.places = {id(m): described(path, m) for path, m in module.named_modules()}
        self.paths = {id(m): path for path, m in module.named_modules()}
        self.neurons: dict[str, Recognised] = {}
        self.where: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.outputs: list[tuple[Any, Any]] = []
        self._entering: Any = None
        self._before: Any = None
        self._last: dict[str, Any] = {}
        self._find(module, "")

    def _find(self, module: Any, path: str) -> None:
        """Recognise neurons; what is inside of them is theirs."""
        where = described(path, module)
        if type(module).__name__ in _COMPILED or getattr(module, "_compiled_call_impl", None):
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

    # Modules

    def before_module(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A module is entered."""
        if self._inside is not None:
            return
        path = self.paths.get(id(module), "")
        self._stack.append((path, self.places.get(id(module), self.place)))
        if path in self.neurons and id(module) in self.paths:
            given = tensors((args, kwargs))
            if not given:
                raise UnsupportedNetwork(f"{self.where[path]}: input: expected a tensor, got none")
            number = self.counts.get(path, 0)
            self._check_states(path, number, given[1:])
            self._entering = given[0]
            self._before = snapshot(module)
            self._inside = module

    def after_module(self, module: Any, result: Any) -> None:
        """A module is left."""
        if self._inside is not None and self._inside is not module:
            return
        if self._inside is module:
            self._inside = None
            self._spiked(self._stack[-1][0], result)
            for tensor in changed(module, self._before):
                if self.of(tensor) is None:
                    path = self._stack[-1][0]
                    self.set(tensor, State(path, self.counts[path] - 1))
        self._stack.pop()

    def _check_states(self, path: str, number: int, states: list[Any]) -> None:
        """What neurons get besides their input is their own state of the step before."""
        for tensor in states:
            known = self.of(tensor)
            own = isinstance(known, State) and known == State(path, number - 1)
            spikes = known is not None and known is self._last.get(path)
            with self.aside():
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
        entering = self._entering
        with self.aside():
            done = self.block(spikes.shape, spikes.device)
            base = self.next - spikes.numel()
            if rule.amplitude != 1.0:
                done = scaled(done, float(rule.amplitude), spikes.shape)
            before = self._last.get(path)
            for state in given[1:]:
                if state is not spikes:
                    self.set(state, State(path, number))
            array = spikes.detach().cpu().numpy().copy()
            value = spikes.detach().clone()
        if rule.feed is not None:
            entering = rule.feed(entering)
        reads, feedback = self._read(entering), None
        if rule.recurrent is not None:
            back = torch.zeros_like(value)
            with self.aside():
                if not rule.sequence and before is not None:
                    self.set(back, before)
                elif rule.sequence:
                    self.set(back, _late(done, rule.time_axis))
            fed = self._read(rule.recurrent(back))
            if not isinstance(fed, Expression):
                reads = fed
            elif isinstance(reads, Expression):
                reads, feedback = Expression(reads.terms + fed.terms, reads.constant), fed.constant
        call = Call(path, number, reads, base, tuple(spikes.shape), feedback=feedback, spikes=array)
        with self.aside():
            self.set(spikes, State(path, number) if rule.readout else done)
            self._last[path] = done
            if rule.potential is not None:
                call.potential = rule.potential().detach().cpu().numpy().copy()
        self.calls.append(call)

    def _read(self, tensor: Any) -> Any:
        known = self.of(tensor)
        with self.aside():
            return Expression([], tensor.detach().double()) if known is None else known


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
    for part in module.modules():
        forget(part)
    for rule in trace.neurons.values():
        if rule.reset is not None:
            rule.reset()

    class Following(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            return trace.call(func, args, kwargs or {})

    handles = []
    for _, part in module.named_modules():
        handles.append(
            part.register_forward_pre_hook(
                lambda m, args, kwargs: trace.before_module(m, args, kwargs), with_kwargs=True
            )
        )
        handles.append(part.register_forward_hook(lambda m, args, out: trace.after_module(m, out)))
    try:
        with torch.no_grad(), Following():
            trace.enter(tensor)
            result = _result(trace, module, tensor, run)
            trace.outputs = [
                (known, _array(tensor))
                for tensor in tensors(result)
                if (known := trace.of(tensor)) is not None
            ]
    finally:
        for handle in handles:
            handle.remove()
    return trace


def _array(tensor: Any) -> Any:
    """A tensor's values; those of half precision as float32 numbers."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype.itemsize < 4 else tensor).numpy()


def _result(trace: Trace, module: Any, tensor: Any, run: Callable[[Any, Any], Any]) -> Any:
    """What the module returns; its own errors with the place where they came from."""
    try:
        return run(module, tensor)
    except EventsimError:
        raise
    except Exception as error:
        # A module may raise errors of any class.
        text = next((line for line in str(error).splitlines() if line.strip()), "")
        raise UnsupportedNetwork(
            f"{trace.place}: run: expected a module that runs on sample_input "
            f"({str(tensor.dtype).removeprefix('torch.')}, {list(tensor.shape)}), got "
            f"{type(error).__name__}: {text}"
        ) from error
