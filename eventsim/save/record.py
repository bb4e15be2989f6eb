"""Results as named arrays: the content that the HDF5 and the npz file share.

======================== ================ ====================================================
name                     shape            content
======================== ================ ====================================================
format, version, kind    scalar           ``eventsim-result``, 1, ``Result`` or ``Results``
t_start, t_stop          sample           what was asked, seconds
t_reached                sample           how far the run came, seconds
complete, stop_reason    sample           whether it reached t_stop, and why it ended
n_events, wall_s, engine sample           synaptic arrivals, seconds of computing, engine
wall_s_total             scalar           seconds of computing of the whole batch
provenance               sample or 1      JSON; one entry where all samples have the same
counts/NAME              sample, unit     spikes of each unit of population NAME
spikes/NAME/t, node      spike            times in seconds and units, sample after sample
spikes/NAME/sample_ptr   sample + 1       sample s has the spikes [sample_ptr[s], sample_ptr[s+1])
v/NAME/SAMPLE/FIELD      of the trace     :meth:`eventsim.trace.Trace.to_arrays`
======================== ================ ====================================================

:mod:`eventsim.load.results` makes results of them again, bit for bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import InvalidType
from eventsim.load.results import FORMAT, VERSION
from eventsim.network import Network
from eventsim.recording import Result, Results
from eventsim.save.native import json_text

__all__ = ["common_network", "samples_of", "to_arrays"]

_WHERE = "save_result"


def samples_of(result: Result | Results) -> list[Result]:
    """The results of one run or of a batch, as a list."""
    if isinstance(result, Result):
        return [result]
    if isinstance(result, Results):
        return list(result)
    raise InvalidType(
        f"{_WHERE}: result: expected a Result or Results, got {type(result).__name__}"
    )


def common_network(samples: list[Result]) -> Network:
    """The network of all samples; an error where they ran different ones."""
    net = samples[0].network
    for k, sample in enumerate(samples):
        if sample.network is not net and sample.network.fingerprint() != net.fingerprint():
            raise checks.fail(
                _WHERE, f"results[{k}].network", "the network of results[0]", repr(sample.network)
            )
    return net


def to_arrays(result: Result | Results) -> dict[str, NDArray[Any]]:
    """All of a result, or of a batch, but its network; see the table of the module.

    Raises
    ------
    InvalidValue
        The samples of a batch recorded spikes of different populations.
    InvalidType
        ``result`` is no result, or its provenance is not JSON.
    """
    samples = samples_of(result)
    arrays: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "kind": type(result).__name__,
        "wall_s_total": np.float64(result.wall_s),
    }
    for field, kind in (
        ("t_start", np.float64), ("t_stop", np.float64), ("t_reached", np.float64),
        ("wall_s", np.float64), ("n_events", np.int64), ("complete", np.bool_),
        ("stop_reason", np.str_), ("engine", np.str_),
    ):  # fmt: skip
        arrays[field] = np.array([getattr(sample, field) for sample in samples], dtype=kind)
    texts = [json_text("provenance", sample.provenance) for sample in samples]
    arrays["provenance"] = np.array(texts[:1] if len(set(texts)) == 1 else texts, dtype=np.str_)
    for name in _same_keys(samples, "counts"):
        arrays[f"counts/{name}"] = np.stack([sample.counts[name] for sample in samples])
    for name in _same_keys(samples, "spikes"):
        trains = [sample.spikes[name] for sample in samples]
        arrays[f"spikes/{name}/t"] = np.concatenate([train.times for train in trains])
        arrays[f"spikes/{name}/node"] = np.concatenate([train.senders for train in trains])
        arrays[f"spikes/{name}/sample_ptr"] = np.cumsum([0, *map(len, trains)], dtype=np.int64)
    for k, sample in enumerate(samples):
        for name, trace in sample.v.items():
            for field, array in trace.to_arrays().items():
                arrays[f"v/{name}/{k}/{field}"] = array
    return {key: np.asarray(value) for key, value in arrays.items()}


def _same_keys(samples: list[Result], field: str) -> list[str]:
    names = list(getattr(samples[0], field))
    for k, sample in enumerate(samples):
        if set(getattr(sample, field)) != set(names):
            raise checks.fail(
                _WHERE,
                f"results[{k}].{field}",
                f"the populations {names} of results[0]",
                list(getattr(sample, field)),
            )
    return names
