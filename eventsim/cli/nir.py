"""Options of the commands that read NIR files: what such a file does not say."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from eventsim.cli.options import Duration

__all__ = ["nir_options"]


class _Area(click.ParamType):
    """``dt``, or a number."""

    name = "area"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if value == "dt" or isinstance(value, float):
            return value
        try:
            return float(value)
        except ValueError:
            self.fail(f"expected 'dt' or a number, got {value!r}", param, ctx)


_OPTIONS: dict[str, dict[str, Any]] = {
    "dt": {"type": Duration(), "help": "NIR: step of the training, such as '1 ms'."},
    "time_unit": {
        "type": click.Choice(["s", "ms", "us", "ns", "step"]),
        "help": "NIR: unit of the times in the file. Default s.",
    },
    "spike_area": {
        "type": _Area(),
        "metavar": "dt|NUMBER",
        "help": "NIR: area of a spike, in that unit. Default dt, if the step is known.",
    },
    "decay": {
        "type": click.Choice(["exact", "euler"]),
        "help": "NIR: whether time constants are as they stand (default) or dt / (1 - decay).",
    },
    "reset": {
        "type": click.Choice(["value", "subtract"]),
        "help": "NIR: to v_reset (default), or subtract the threshold.",
    },
    "multi_spike": {
        "off": "no-multi-spike",
        "default": None,
        "help": "NIR: with subtract, several spikes in one instant.",
    },
    "t_ref": {"type": Duration(), "help": "NIR: refractory period. Default 0."},
    "recurrent_delay": {
        "type": Duration(),
        "help": "NIR: delay of cycles without a Delay node. Default dt.",
    },
    "fires_at_equality": {
        "is_flag": True,
        "default": None,
        "help": "NIR: spike at the threshold, not only above it.",
    },
    "norm_input": {
        "off": "no-norm-input",
        "default": None,
        "help": "NIR: with the exporter sinabs, what norm_input of its layers was.",
    },
    "exporter": {
        "type": click.Choice(["snntorch", "norse", "spikingjelly", "sinabs", "rockpool"]),
        "help": "NIR: framework that wrote the file, to correct what it is known to write wrongly, "
        "and to have its discrete model.",
    },
    "reset_delay": {
        "type": click.BOOL,
        "help": "NIR from snnTorch: whether a reset acts one step later in its discrete model. "
        "Default true.",
    },
    "encoder": {
        "type": click.Choice(["bernoulli", "periodic", "constant"]),
        "help": "NIR with an exporter: how an image is fed to the discrete model. Default "
        "bernoulli.",
    },
    "encoder_scale": {
        "type": click.FloatRange(min=0.0, min_open=True),
        "help": "NIR with an exporter: factor on the pixels. Default 1.",
    },
}


def nir_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of :func:`eventsim.load_nir`; those given arrive as the mapping ``nir``."""

    @functools.wraps(command)
    def collected(*args: Any, **values: Any) -> Any:
        nir = {name: value for name in _OPTIONS if (value := values.pop(name)) is not None}
        return command(*args, nir=nir, **values)

    for name, details in reversed(_OPTIONS.items()):
        flag = f"--{name.replace('_', '-')}"
        if "off" in details:
            flag += f"/--{details['off']}"
        rest = {key: value for key, value in details.items() if key != "off"}
        collected = click.option(flag, name, **rest)(collected)
    return collected
