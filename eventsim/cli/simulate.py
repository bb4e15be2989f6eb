"""``eventsim simulate``: a network file and an input file give a result file."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

import click

from eventsim.cli.nir import nir_options
from eventsim.cli.options import (
    Duration,
    Neurons,
    architecture_option,
    duration_text,
    new_output,
    overwrite_option,
    seed_option,
    threads_option,
)
from eventsim.cli.terminal import Work, headline, line, table, wrote

if TYPE_CHECKING:
    from eventsim.cli.stimuli import Images, Trains
    from eventsim.discretization import Discretization
    from eventsim.network import Network
    from eventsim.recording import Results

STOPPED, INTERRUPTED = 1, 130

#: Different reasons for incomplete runs that are told, at most.
REASONS = 3


@click.command()
@click.argument("net", type=click.Path())
@click.argument("data", metavar="INPUT", type=click.Path())
@click.option(
    "-o", "--out", required=True, type=click.Path(), help="Result: .h5 (or .hdf5) or .npz."
)
@click.option("--t-stop", type=Duration(), help="End of the run, such as '10 ms'.")
@click.option("--samples", type=click.IntRange(min=1), help="Only the first samples of INPUT.")
@seed_option
@click.option("--spread", type=Duration(), help="Width of the pulses, such as '1 ms'; 0: deltas.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "layered", "windowed", "queue"]),
    default="auto",
    show_default=True,
    help="The loop to use; the spikes are the same.",
)
@click.option(
    "--record",
    type=click.Choice(["spikes", "counts"]),
    default="spikes",
    show_default=True,
    help="Keep all spikes, or only how many each neuron had.",
)
@click.option(
    "--record-v",
    type=Neurons(),
    multiple=True,
    metavar="POP:IDX,...",
    help="Keep exact potentials, such as out:0,3-5. Can be repeated.",
)
@threads_option
@click.option(
    "--max-events",
    type=click.IntRange(min=1),
    help="Stop a sample after so many events (spikes, arrivals, ends of pulses).",
)
@architecture_option
@nir_options
@overwrite_option
def simulate(
    net: str,
    data: str,
    out: str,
    t_stop: float | None,
    samples: int | None,
    seed: int,
    spread: float | None,
    engine: str,
    record: str,
    record_v: tuple[tuple[str, list[int]], ...],
    threads: int | None,
    max_events: int | None,
    architecture: str | None,
    nir: dict[str, Any],
    overwrite: bool,
) -> None:
    """Simulate the network NET exactly and write spikes, counts and potentials.

    INPUT is an .npz file with images (and labels), which are made spikes as in training; or
    spike trains: an .npz file with times and senders (and sample), or a .csv file with columns
    of these names. Times are seconds.

    \b
    Examples:
      eventsim simulate hidden.h5 images.npz --samples 16 -o run.h5
      eventsim simulate hidden.h5 spikes.csv --t-stop '10 ms' -o run.h5
      eventsim simulate hidden.h5 images.npz --spread 0 --record-v out:0,3 -o deltas.h5
      eventsim simulate graph.nir spikes.csv --dt '1 ms' --t-stop '100 ms' -o run.h5
    """
    path = new_output(out, overwrite)
    if path.suffix.lower() not in (".h5", ".hdf5", ".npz"):
        raise click.BadParameter(
            f"expected a name that ends in .h5, .hdf5 or .npz, got {out}", param_hint="'--out'"
        )
    from eventsim import checks
    from eventsim.cli.stimuli import Images, read_stimulus
    from eventsim.load import load

    network, disc = load(net, architecture, **nir)
    stimulus = read_stimulus(data)
    if spread is not None:
        network = network.with_spread(spread)
    inputs, currents = _arguments(network, disc, stimulus, samples, seed)
    if t_stop is None:
        if disc is None or not isinstance(stimulus, Images):
            raise checks.fail("simulate", "--t-stop", "a time such as '10 ms'", "none")
        t_stop = disc.duration
    chosen: dict[str, list[int]] = {}
    for name, neurons in record_v:
        chosen.setdefault(name, []).extend(neurons)

    from eventsim.errors import IncompleteRunWarning
    from eventsim.recording import Result, Results
    from eventsim.save import save_result
    from eventsim.session import DEFAULT_MAX_EVENTS
    from eventsim.simulate import simulate as run

    with warnings.catch_warnings(), Work("simulating") as work:
        warnings.simplefilter("ignore", IncompleteRunWarning)
        result = run(
            network, inputs, t_stop, currents=currents, record=record, record_v=chosen or None,
            engine=engine, threads=threads, max_events=max_events or DEFAULT_MAX_EVENTS,
            progress=work,
        )  # fmt: skip
    batch = Results([result], result.wall_s) if isinstance(result, Result) else result
    late = [item.stop_reason for item in batch if not item.complete]
    # Said before the file is written, which may take a moment.
    for reason in list(dict.fromkeys(late))[:REASONS]:
        line(f"incomplete: {reason}", stderr=True)
    save_result(result, path, overwrite=overwrite)
    if not late:
        _summary(network, batch, t_stop, None if work.watch.seconds else batch.wall_s)
        if isinstance(stimulus, Images) and stimulus.labels is not None:
            _accuracy(network, batch, stimulus.labels)
    wrote([path], f"{_plural(len(batch), 'sample')}{f', {len(late)} incomplete' if late else ''}")
    if late:
        interrupted = any(reason.startswith("interrupted") for reason in late)
        sys.exit(INTERRUPTED if interrupted else STOPPED)


def _arguments(
    net: Network,
    disc: Discretization | None,
    stimulus: Images | Trains,
    samples: int | None,
    seed: int,
) -> tuple[dict[str, Any], Any]:
    """Arguments ``inputs`` and ``currents`` of the run."""
    from eventsim import checks
    from eventsim.cli.stimuli import Trains, entry, stimulate
    from eventsim.errors import FileError

    if samples is not None and samples > len(stimulus):
        raise checks.fail("simulate", "--samples", f"at most {len(stimulus)}", samples)
    if isinstance(stimulus, Trains):
        trains = stimulus.trains[:samples]
        return {entry(net): trains if stimulus.batch else trains[0]}, None
    if disc is None:
        raise FileError(
            "network: discretization: expected one that says how images become spikes, got none"
        )
    return stimulate(net, disc, stimulus.pixels[:samples], seed)


def _summary(net: Network, batch: Results, t_stop: float, seconds: float | None) -> None:
    line(repr(net))
    headline(f"Spikes of {_plural(len(batch), 'sample')} in {duration_text(t_stop)}")
    rows = []
    for name in net.order:
        total = sum(int(item.counts[name].sum()) for item in batch)
        rows.append((
            name, f"{net[name].n:,}", f"{total:,}",
            f"{total / len(batch):,.1f}", f"{total / len(batch) / net[name].n:.3f}",
        ))  # fmt: skip
    columns = ("layer", "neurons", "spikes", "per sample", "per sample and neuron")
    table(columns, rows, numbers=(1, 2, 3, 4))
    # A run that compiled says nothing about speed.
    speed = f", {batch.n_events / seconds:,.0f} per second" if seconds else ""
    engines = " and ".join(sorted({item.engine for item in batch if item.engine})) or "no"
    line(f"{batch.n_events:,} synaptic events{speed}; {engines} engine")


def _accuracy(net: Network, batch: Results, labels: Any) -> None:
    from eventsim import decode
    from eventsim.fidelity import metrics
    from eventsim.fidelity.words import share_text

    if len(net.outputs) != 1:
        return
    classes = decode.classes(batch.counts[net.outputs[0]])
    right = share_text(metrics.accuracy(labels[: len(batch)], classes))
    line(f"right answers, %: {right} (class of most output spikes; 95 % interval)")


def _plural(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
