"""``eventsim info``: what a file holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from eventsim.cli.nir import nir_options
from eventsim.cli.options import architecture_option, duration_text
from eventsim.cli.terminal import headline, line, table

if TYPE_CHECKING:
    from eventsim.cli.stimuli import Images, Trains
    from eventsim.discretization import Discretization
    from eventsim.recording import Result, Results


@click.command()
@click.argument("file", type=click.Path())
@architecture_option
@nir_options
def info(file: str, architecture: str | None, nir: dict[str, Any]) -> None:
    """Say what FILE holds: a network, a result, images or spike trains.

    Of a network: its layers, how the discrete model behind its weights was stepped, and where
    the weights came from; of one from NIR, what was assumed. Of a result: how many spikes each
    layer had, and what produced them.

    \b
    Examples:
      eventsim info hidden.h5
      eventsim info run.h5
      eventsim info weights.safetensors --architecture layers.toml
      eventsim info graph.nir --dt '1 ms'
    """
    from eventsim.load import load
    from eventsim.load.hdf5 import existing

    what = "a network, a result, images or spike trains"
    kind = _kind(existing(file, what))
    if kind == "result":
        from eventsim.load import load_result

        _show_result(load_result(file))
    elif kind == "stimulus":
        from eventsim.cli.stimuli import Images, read_stimulus

        stimulus = read_stimulus(file)
        (_show_images if isinstance(stimulus, Images) else _show_trains)(stimulus)  # type: ignore
    elif kind == "nir" and architecture is None:
        from eventsim.load.nir import load_with_steps

        (net, assumptions, ports), disc = load_with_steps(file, **nir)
        line(repr(net))
        headline("Layers")
        line(net.describe())
        headline("What was assumed, as NIR does not say it")
        table(("assumption", "value", "why"), assumptions)
        if ports:
            headline("Outputs")
            rows = [(name, ", ".join(shown)) for name, shown in ports.items()]
            table(("Output node", "populations"), rows)
        if disc is not None:
            _show_discretization(replace(disc, notes=()))
    else:
        net, disc = load(file, architecture, **nir)
        line(repr(net))
        headline("Layers")
        line(net.describe())
        if disc is not None:
            _show_discretization(disc)
        if kind == "network":
            from eventsim.load.native import read_provenance

            _show_provenance(read_provenance(file))


def _show_discretization(disc: Discretization) -> None:
    headline("How the discrete model was stepped")
    table(("assumption", "value", "meaning"), disc.assumptions())


def _kind(path: Any) -> str:
    """``network`` and ``result`` of eventsim, ``nir``, ``stimulus``, or ``tensors``."""
    import zipfile

    with open(path, "rb") as stream:
        start = stream.read(4096)
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        from eventsim.load import hdf5
        from eventsim.load.nir_file import is_nir, is_nir_data

        with hdf5.opened(path, "a file of eventsim, or NIR") as file:
            if is_nir(file) or is_nir_data(file):
                return "nir"
            return "result" if "eventsim" in file else "network"
    if start.startswith(b"PK"):
        if not zipfile.is_zipfile(path):
            return "stimulus"
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if not all(name.endswith(".npy") for name in names):
            return "tensors"
        return "result" if "format.npy" in names else "stimulus"
    if start.startswith(b"\x80") or start[8:9] == b"{":
        return "tensors"
    return "stimulus"


def _show_provenance(provenance: Mapping[str, Any]) -> None:
    if provenance:
        headline("Where it comes from")
        table(("entry", "value"), _flat(provenance))


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def _show_result(result: Result | Results) -> None:
    from eventsim.recording import Result

    samples = [result] if isinstance(result, Result) else list(result)
    first = samples[0]
    whole = sum(item.complete for item in samples)
    line(repr(first.network))
    headline(f"Result of {len(samples)} sample{'' if len(samples) == 1 else 's'}")
    interval = f"{duration_text(first.t_start)} to {duration_text(first.t_stop)}"
    rows = [
        ("interval", interval),
        ("complete", f"{whole} of {len(samples)}"),
        ("engine", " and ".join(sorted({item.engine for item in samples if item.engine}))),
        ("synaptic events", f"{sum(item.n_events for item in samples):,}"),
        ("time to compute", f"{result.wall_s:.3g} s"),
    ]
    rows += [
        ("stopped early", reason)
        for reason in dict.fromkeys(item.stop_reason for item in samples if not item.complete)
    ]
    rows += [
        (f"potentials of {name}", ", ".join(map(str, trace.neurons)))
        for name, trace in first.v.items()
    ]
    table(("entry", "value"), rows)
    headline("Spikes")
    spikes = []
    for name in first.network.order:
        if name in first.counts:
            total = sum(int(item.counts[name].sum()) for item in samples)
            kept = "times and counts" if name in first.spikes else "counts"
            n = first.network[name].n
            spikes.append((name, f"{n:,}", f"{total:,}", f"{total / len(samples):,.1f}", kept))
    columns = ("layer", "neurons", "spikes", "per sample", "recorded")
    table(columns, spikes, numbers=(1, 2, 3))
    _show_provenance(first.provenance)


def _show_images(images: Images) -> None:
    shape = " x ".join(map(str, images.stored.shape[1:]))
    line(f"{len(images):,} images of {shape} pixels")
    if images.labels is not None:
        import numpy as np

        classes, counts = np.unique(images.labels, return_counts=True)
        headline("Images of each class")
        rows = [(str(c), f"{n:,}") for c, n in zip(classes, counts, strict=True)]
        table(("class", "images"), rows, numbers=(0, 1))


def _show_trains(trains: Trains) -> None:
    total = sum(map(len, trains.trains))
    line(f"{total:,} spikes in {len(trains):,} sample{'' if len(trains) == 1 else 's'}")
    full = [train for train in trains.trains if len(train)]
    if full:
        first = min(float(train.times[0]) for train in full)
        last = max(float(train.times[-1]) for train in full)
        senders = max(int(train.senders.max()) for train in full)
        line(f"from {first:g} s to {last:g} s, senders up to {senders}")
