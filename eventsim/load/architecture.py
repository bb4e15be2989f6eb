"""Architecture descriptions: what a file of bare weight tensors does not say.

A description is a TOML file, or a mapping of the same content::

    dt = 1e-3                  # seconds per training step, required
    steps = 4                  # steps of one presentation, required
    neuron = "coarse_lif"      # of every layer that names none
    tau = 4.0                  # membrane time constant in steps, of every layer that names none

    [input]
    name = "image"
    shape = [1, 28, 28]        # channel, y, x

    [[layer]]
    name = "conv1"
    kind = "conv2d"
    weight = "conv1.weight"    # name of the tensor; this is the default
    bias = "conv1.bias"        # no bias unless named
    padding = 2

    [[layer]]
    name = "pool1"
    kind = "maxpool2d"
    kernel_size = 2

    [[layer]]
    name = "out"
    kind = "linear"
    weight = "fc.weight"

This module reads and checks descriptions; :mod:`eventsim.load.assemble` makes networks of them.

The neurons of a layer can be those of a training framework, such as ``"snntorch.Leaky"``, with the
arguments of the class under ``cell``; see :mod:`eventsim.load.framework_cells`. For these ``decay``
and ``jump`` choose conventions, as for :func:`eventsim.from_torch`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from eventsim.discretization import Discretization
from eventsim.errors import EventsimError, FileError
from eventsim.load.hdf5 import existing

__all__ = [
    "CLASSES", "FLAGS", "KEYS", "NEURONS", "NUMBERS", "Architecture", "Layer", "read_architecture",
]  # fmt: skip

#: Name of a neuron in a description -> its update rule in a Discretization.
NEURONS = {
    "coarse_lif": "coarse",
    "coarse_lif_drop": "coarse_drop",
    "constant_potential_lif": "constant_potential",
    "lif": "lif",
    "if": "if",
    "mcculloch_pitts": "mcculloch_pitts",
}

#: Neuron of a framework in a description -> module of eventsim.discrete.frameworks and function.
CLASSES = {
    "norse.LIBoxCell": "norse.li_box",
    "norse.LICell": "norse.li",
    "norse.LIFBoxCell": "norse.lif_box",
    "norse.LIFCell": "norse.lif",
    "norse.LSNNCell": "norse.lsnn",
    "rockpool.ExpSynTorch": "rockpool.exp_syn",
    "rockpool.LIFTorch": "rockpool.lif",
    "sinabs.ALIF": "sinabs.alif",
    "sinabs.ExpLeak": "sinabs.exp_leak",
    "sinabs.IAF": "sinabs.iaf",
    "sinabs.LIF": "sinabs.lif",
    "snntorch.Leaky": "snntorch.leaky",
    "snntorch.RLeaky": "snntorch.rleaky",
    "snntorch.RSynaptic": "snntorch.rsynaptic",
    "snntorch.Synaptic": "snntorch.synaptic",
    "spikingjelly.IFNode": "spikingjelly.if_node",
    "spikingjelly.LIFNode": "spikingjelly.lif_node",
    "spikingjelly.ParametricLIFNode": "spikingjelly.parametric_lif_node",
}

#: Parameters of neurons, of a layer or (at the top) of all: a number, or the name of a tensor
#: with one entry, one per channel or one per neuron. ``tau`` and ``tau_mem`` are such too.
NUMBERS = ("v_threshold", "v_leak", "v_reset", "v_init", "t_ref", "r", "i_bias")
FLAGS = ("reset", "multi_spike", "fires_at_equality")
_NEURON = ("neuron", "cell", "tau", "tau_mem", *NUMBERS, *FLAGS)
_LINK = ("weight", "bias", "delay", "spread")
_WINDOW = ("kernel_size", "stride", "padding")

#: Kind of layer -> the keys that it may have, besides name and kind.
KEYS: dict[str, tuple[str, ...]] = {
    "linear": (*_LINK, "recurrent", "recurrent_bias", *_NEURON),
    "conv2d": (*_LINK, "stride", "padding", "dilation", "groups", *_NEURON),
    "avgpool2d": (*_WINDOW, "gain", "delay", "spread", *_NEURON),
    "sumpool2d": (*_WINDOW, "gain", "delay", "spread", *_NEURON),
    "maxpool2d": (*_WINDOW, "rule", "window", "delay"),
    "flatten": (),
    "analog": _NEURON,
}

_TOP = (
    "dt", "steps", "encoder", "encoder_scale", "spread", "state_dict", "ignore", "input", "layer",
    "decay", "jump", "accept", *_NEURON,
)  # fmt: skip
_REQUIRED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("avgpool2d", "sumpool2d", "maxpool2d"), ("kernel_size",)),
}


@dataclass(frozen=True)
class Layer:
    """One ``[[layer]]``: its name, kind, and the keys that it has."""

    name: str
    kind: str
    values: Mapping[str, Any]

    @property
    def where(self) -> str:
        """How messages name this layer."""
        return f"layer {self.name!r} ({self.kind})"

    @property
    def own_neurons(self) -> bool:
        """Whether the layer itself asks for neurons."""
        return any(key in self.values for key in _NEURON)


@dataclass(frozen=True)
class Architecture:
    """A checked description.

    Attributes
    ----------
    where : str
        The file, for messages.
    dt, steps, encoder, encoder_scale, spread
        As in :class:`~eventsim.Discretization`.
    input_name, input_shape
        The Input population.
    neuron : mapping
        Defaults for the neurons of every layer.
    layers : tuple of Layer
        From input to output.
    state_dict : str or None
        Key under which a checkpoint keeps its tensors.
    ignore : tuple of str
        Tensors of the file that are left unused on purpose.
    conventions : mapping
        Options of :class:`eventsim.discrete.counterpart.Options` that were given.
    """

    where: str
    discretization: Discretization
    spread_given: bool
    input_name: str
    input_shape: tuple[int, ...]
    neuron: Mapping[str, Any]
    layers: tuple[Layer, ...]
    state_dict: str | None
    ignore: tuple[str, ...]
    conventions: Mapping[str, Any]


def read_architecture(source: str | os.PathLike[str] | Mapping[str, Any]) -> Architecture:
    """Read and check a description.

    Parameters
    ----------
    source : str, Path or mapping
        A TOML file, or its content as a mapping.

    Returns
    -------
    Architecture

    Raises
    ------
    FileError
        The file is missing or no TOML, a key is unknown, missing, or of the wrong type; the
        message names the layer and the key.

    Examples
    --------
    >>> architecture = read_architecture({
    ...     "dt": 1e-3, "steps": 4, "tau": 4.0, "input": {"shape": [784]},
    ...     "layer": [{"name": "out", "kind": "linear", "weight": "fc.weight"}],
    ... })
    >>> architecture.layers[0].where
    "layer 'out' (linear)"
    """
    if isinstance(source, Mapping):
        return _checked("architecture", source)
    path = existing(source, "an architecture description (TOML)")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FileError(f"{path}: file: expected TOML, got: {error}") from error
    except OSError as error:
        raise FileError(f"{path}: file: expected to read it, got: {error}") from error
    return _checked(str(path), content)


def _checked(where: str, content: Mapping[str, Any]) -> Architecture:
    _known_keys(where, content, _TOP, ("dt", "steps", "input", "layer"))
    entry = _typed(where, content, "input", Mapping)
    _known_keys(f"{where}: input", entry, ("name", "shape"), ("shape",))
    shape = entry["shape"]
    shape = (shape,) if isinstance(shape, int) else shape
    if (
        not isinstance(shape, list | tuple)
        or not shape
        or not all(type(size) is int and size > 0 for size in shape)
    ):
        raise FileError(f"{where}: input: shape: expected sizes [channel, y, x], got {shape!r}")
    neuron = {key: content[key] for key in _NEURON if key in content}
    _check_neuron(where, neuron)
    name = _typed(f"{where}: input", {"name": "input", **entry}, "name", str)
    layers = _layers(where, _typed(where, content, "layer", list), name)
    ignore = _typed(where, {"ignore": [], **content}, "ignore", list)
    keys = ("dt", "steps", "encoder", "encoder_scale", "spread")
    rule = NEURONS.get(neuron.get("neuron", "coarse_lif"), "framework")
    try:
        disc = Discretization(rule, **{key: content[key] for key in keys if key in content})
    except EventsimError as error:
        raise FileError(f"{where}: {str(error).removeprefix('Discretization: ')}") from error
    return Architecture(
        where=where,
        discretization=disc,
        spread_given="spread" in content,
        input_name=name,
        input_shape=tuple(shape),
        neuron=MappingProxyType(neuron),
        layers=layers,
        state_dict=_typed(where, {"state_dict": None, **content}, "state_dict", str | None),
        ignore=tuple(str(item) for item in ignore),
        conventions={
            **{key: content[key] for key in ("decay", "jump", "t_ref", "reset") if key in content},
            "accept": tuple(_typed(where, {"accept": [], **content}, "accept", list)),
        },
    )


def _layers(where: str, entries: list[Any], input_name: str) -> tuple[Layer, ...]:
    if not entries:
        raise FileError(f"{where}: layer: expected at least one [[layer]], got none")
    layers: list[Layer] = []
    seen = {input_name}
    for k, entry in enumerate(entries):
        here = f"{where}: layer {k}"
        if not isinstance(entry, Mapping):
            raise FileError(f"{here}: expected a table, got {type(entry).__name__}")
        if "name" not in entry or "kind" not in entry:
            raise FileError(f"{here}: expected name and kind, got the keys {sorted(entry)}")
        name, kind = _typed(here, entry, "name", str), _typed(here, entry, "kind", str)
        here = f"{where}: layer {name!r}"
        if kind not in KEYS:
            raise FileError(f"{here}: kind: expected one of {sorted(KEYS)}, got {kind!r}")
        if name in seen:
            raise FileError(f"{here}: name: expected a name of its own, got one used before")
        seen.add(name)
        values = {key: value for key, value in entry.items() if key not in ("name", "kind")}
        layer = Layer(name, kind, MappingProxyType(values))
        here = f"{where}: {layer.where}"
        _known_keys(here, values, KEYS[kind], _REQUIRED.get(kind, ()))
        for key in ("weight", "bias", "recurrent", "recurrent_bias"):
            if key in values:
                _typed(here, values, key, str)
        _check_neuron(here, values)
        if kind == "analog" and k:
            raise FileError(f"{here}: kind: expected the first layer, got layer {k}")
        layers.append(layer)
    return tuple(layers)


def _check_neuron(where: str, values: Mapping[str, Any]) -> None:
    if "neuron" in values:
        name = _typed(where, values, "neuron", str)
        known = [*NEURONS, *CLASSES]
        if name not in known:
            raise FileError(f"{where}: neuron: expected one of {sorted(known)}, got {name!r}")
    if "cell" in values:
        _typed(where, values, "cell", Mapping)
    if "tau" in values and "tau_mem" in values:
        raise FileError(f"{where}: tau: expected tau (steps) or tau_mem (seconds), got both")


def _known_keys(
    where: str, content: Mapping[str, Any], known: tuple[str, ...], required: tuple[str, ...]
) -> None:
    unknown = sorted(str(key) for key in content if key not in known)
    if unknown:
        raise FileError(f"{where}: keys: expected some of {sorted(known)}, got {unknown}")
    missing = [key for key in required if key not in content]
    if missing:
        raise FileError(f"{where}: {missing[0]}: expected a value, got none")


def _typed(where: str, content: Mapping[str, Any], key: str, kind: Any) -> Any:
    value = content[key]
    if not isinstance(value, kind):
        expected = getattr(kind, "__name__", str(kind)).replace("Mapping", "a table")
        raise FileError(f"{where}: {key}: expected {expected}, got {value!r}")
    return value
