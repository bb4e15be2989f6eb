"""The steps of :func:`eventsim.from_torch`, one after the other."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.discrete.counterpart import Options
from eventsim.discretization import Discretization
from eventsim.errors import InvalidType, UncomparedWarning, UnsupportedNetwork
from eventsim.load.modules.build import build
from eventsim.load.modules.decoders import decoder
from eventsim.load.modules.expressions import Expression
from eventsim.load.modules.graph import Graph
from eventsim.load.modules.potentials import read_potentials
from eventsim.load.modules.recognise import FRAMEWORKS, described
from eventsim.load.modules.states import undisturbed
from eventsim.load.modules.stations import Axes, not_understood
from eventsim.load.modules.trace import Trace, traced
from eventsim.load.modules.verify import compare
from eventsim.network import Network

__all__ = ["converted"]

Array = NDArray[Any]
WHERE = "from_torch"


def converted(
    module: Any,
    sample: Any,
    dt: float,
    run: Callable[[Any, Any], Any] | str | int | None,
    axes: tuple[int | None, int | None],
    options: Options,
    given: dict[str, Any],
) -> tuple[Network, Discretization]:
    """The network and discretization of a module; parameters as in ``from_torch``."""
    _check_tensors(module)
    tensor = _tensor(module, sample)
    time = 0 if run == "step" and axes[0] is None else axes[0]
    runner = _runner(run, time)
    with undisturbed(module):
        trace = traced(module, tensor, runner)
    _check_dt(trace, dt)
    if not any(call.spikes is not None for call in trace.calls):
        raise UnsupportedNetwork(_no_neurons(module))
    for call in trace.calls:
        if call.spikes is not None and not isinstance(call.reads, Expression):
            size = math.prod(trace.input_shape)
            raise not_understood(trace.where[str(call.what)], call.reads, size)
    rows = read_potentials(trace) if options.reset is None else []
    graph = _graph(trace, time, axes[1])
    values = tensor.detach().cpu().double().numpy()
    precise = tensor.dtype.itemsize > 4
    built = build(graph, dt, options, given, "float64" if precise else "float32")
    x = _arranged(values, graph)
    found = compare(graph, built, x)
    rows = [*built.rows, *rows]
    rows += [
        (f"neurons {path}", "left out", "the module did not call them")
        for path in trace.neurons
        if path not in graph.spikes
    ]
    rows += [
        (f"spikes of {path}", "none on sample_input", "what they do is not compared")
        for path, spikes in graph.spikes.items()
        if not spikes.any() and not trace.neurons[path].readout
    ]
    disc = built.discretization
    if (row := decoder(graph, built)) is not None:
        rows.append(row)
        disc = replace(disc, decoder=row[1])
    samples = f"{graph.samples} sample" + ("s" if graph.samples > 1 else "")
    if not (found.spikes or found.numbers or found.ties):
        warnings.warn(
            f"{WHERE}: sample_input: no neuron spiked in {graph.steps} steps of {samples}, so that "
            "nothing was compared with the module: give more of it, or a stronger one",
            UncomparedWarning,
            stacklevel=3,
        )
    told = f"{found.spikes} spikes in {found.steps} steps of {samples}"
    rows.append(("comparison with the module", told, "all equal"))
    if built.readouts or found.numbers:
        told = f"{found.numbers} of the returned numbers compared with the twin's"
        why = "all equal within rounding" if found.numbers else "others are behind other functions"
        rows.append(("readout", told, why))
    if found.ties:
        told = f"{found.ties} of {samples} compared up to a step"
        why = "in which a potential is at the threshold within the rounding of its sum"
        rows.append(("rounding", told, why))
    notes = tuple(f"{name}: {value}" + (f" ({why})" if why else "") for name, value, why in rows)
    return built.network, replace(disc, notes=(*disc.notes, *notes))


def _tensor(module: Any, sample: Any) -> Any:
    """The sample input as a tensor of its own on the module's device."""
    import torch

    named = [*module.named_parameters(), *module.named_buffers()]
    first = named[0][1] if named else None
    if isinstance(sample, list | tuple) and any(isinstance(x, torch.Tensor) for x in sample):
        raise InvalidType(
            f"{WHERE}: sample_input: expected one tensor or array, got a {type(sample).__name__} "
            "of tensors: of images with labels hand over the images; run=... calls a module that "
            "takes several"
        )
    if not isinstance(sample, torch.Tensor):
        array = checks.real_array(WHERE, "sample_input", sample)
        sample = torch.from_numpy(np.array(array))
        if first is not None and first.is_floating_point():
            sample = sample.to(first.dtype)
    kind = str(sample.dtype).removeprefix("torch.")
    if sample.is_meta or sample.layout != torch.strided:
        got = "numbers on the device 'meta'" if sample.is_meta else f"the layout {sample.layout}"
        raise checks.fail(WHERE, "sample_input", "a dense tensor of numbers", got)
    if sample.is_complex() or (sample.is_floating_point() and sample.dtype.itemsize < 4):
        raise checks.fail(WHERE, "sample_input", "float32 or float64 (float(), double())", kind)
    if sample.dim() == 0 or sample.numel() == 0:
        raise checks.fail(
            WHERE, "sample_input", "numbers on at least one axis", tuple(sample.shape)
        )
    if not bool(torch.isfinite(sample).all()):
        raise checks.fail(WHERE, "sample_input", "finite numbers", "others")
    return sample.detach().clone().to(first.device if first is not None else "cpu")


def _check_tensors(module: Any) -> None:
    """Refuse parameters and buffers without numbers, or of half precision."""
    import torch

    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        got = str(tensor.dtype).removeprefix("torch.")
        if isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin):
            got = "one that is not initialized: run the module once"
        elif tensor.is_meta:
            got = "one on the device 'meta', which has no numbers: load its weights first"
        elif not tensor.is_floating_point() or tensor.dtype.itemsize >= 4:
            continue
        else:
            got += ": call float() on the module and its input"
        raise UnsupportedNetwork(f"{WHERE}: module: {name}: expected a float32 tensor, got {got}")


def _check_dt(trace: Trace, dt: float) -> None:
    """Refuse another step than that of the modules which say what theirs is."""
    for path, known in trace.neurons.items():
        if known.dt is not None and not math.isclose(known.dt, dt, rel_tol=1e-6):
            raise UnsupportedNetwork(
                f"{trace.where[path]}: dt: expected that of from_torch, {dt:g} s, got "
                f"{known.dt:g} s, with which its time constants were made decays: say "
                f"dt={known.dt:g}"
            )


def _runner(
    run: Callable[[Any, Any], Any] | str | int | None, time: int | None
) -> Callable[[Any, Any], Any]:
    if run is None:
        return lambda module, x: module(x)
    if run == "step":
        return lambda module, x: _stepped(module, x.unbind(time))
    if isinstance(run, int) and not isinstance(run, bool):
        count = checks.whole(WHERE, "run", run, 1)
        return lambda module, x: [module(x) for _ in range(count)]
    if callable(run):
        return run
    raise InvalidType(f"{WHERE}: run: expected a callable, 'step', an int or None, got {run!r}")


def _stepped(module: Any, parts: Any) -> list[Any]:
    """What a module returns of each step; gets a state back that it returns beside its output.

    That is the case where ``forward(x, state=None)`` returns ``(output, state)`` with a state that
    is no single tensor.
    """
    parameters = list(inspect.signature(module.forward).parameters.values())
    takes = len(parameters) > 1 and parameters[1].default is None
    state: Any = None
    results = []
    for part in parts:
        result = module(part) if state is None else module(part, state)
        results.append(result)
        pair = isinstance(result, tuple) and len(result) == 2
        if takes and pair and isinstance(result[1], tuple | list | dict):
            state = result[1]
    return results


def _candidates(trace: Trace, time: int | None, batch: int | None) -> list[Axes]:
    """Readings of the axes of the sample input, the likeliest first."""
    count = len(trace.input_shape)
    for name, axis in (("time_axis", time), ("batch_axis", batch)):
        if axis is not None and not -count <= axis < count:
            raise checks.fail(WHERE, name, f"an axis of {trace.input_shape}", axis)
    time = None if time is None else time % count
    batch = None if batch is None else batch % count
    if time is not None and batch is not None:
        return [Axes(time, batch)]
    if time is not None:
        others = [axis for axis in (0, 1) if axis != time and axis < count]
        return [*(Axes(time, axis) for axis in others), Axes(time, None)]
    if batch is not None:
        others = [axis for axis in (0, 1) if axis != batch and axis < count]
        return [*(Axes(axis, batch) for axis in others), Axes(None, batch)]
    found = [Axes(0, 1), Axes(1, 0)] if count > 1 else []
    for rule in trace.neurons.values():
        if rule.squeezed:
            found.insert(0, Axes(0, None, rule.steps_in(trace.input_shape[0])))
            break
    found.append(Axes(0, None))
    return found if _read_in_parts(trace) else [*found, Axes(None, 0), Axes(None, None)]


def _read_in_parts(trace: Trace) -> bool:
    """Whether a call reads a part of the sample input, as modules read it step by step."""
    size = math.prod(trace.input_shape)
    for call in trace.calls:
        read = [term.labels[(term.labels > 0) & (term.labels <= size)] for term in call.reads.terms]
        if any(0 < labels.unique().numel() < size for labels in read):
            return True
    return False


def _graph(trace: Trace, time: int | None, batch: int | None) -> Graph:
    """The graph of the first reading of the axes that makes sense of all calls."""
    errors = []
    for axes in _candidates(trace, time, batch):
        graph = Graph(trace, axes)
        try:
            graph.read()
        except UnsupportedNetwork as error:
            errors.append((graph.progress, error))
        else:
            return graph
    raise max(errors, key=lambda pair: pair[0])[1]


def _arranged(values: Array, graph: Graph) -> Array:
    """The sample input as the twin takes it: [sample, step, n], or [sample, n] without steps."""
    axes = graph.axes
    if axes.squeezed is not None:
        return values.reshape(graph.samples, graph.steps, -1)
    front = [axis for axis in (axes.batch, axes.time) if axis is not None]
    rest = [axis for axis in range(values.ndim) if axis not in front]
    array = values.transpose(*front, *rest)
    if axes.batch is None:
        array = array[None]
    lead = array.shape[: 1 + (axes.time is not None)]
    return array.reshape(*lead, math.prod(array.shape[len(lead) :]))


def _no_neurons(module: Any) -> str:
    types = sorted({described(path, part) for path, part in module.named_modules() if path})
    return (
        f"{described('', module)}: neurons: expected some of a framework that eventsim knows "
        f"({', '.join(FRAMEWORKS)}) to be called, got none among {', '.join(types) or 'itself'}"
    )
