"""``eventsim simulate``: a network file and an input file give a result file."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from eventsim.cli.nir import nir_options
from eventsim.cli.options import (
    Duration,
    Neurons,
    architecture_option,
    new_output,
    overwrite_option,
    seed_option,
    threads_option,
)
from eventsim.cli.terminal import Work, wrote

if TYPE_CHECKING:
    from eventsim.network import Network
    from eventsim.recording import Result, Results

STOPPED, INTERRUPTED = 1, 130


@click.command()
@click.argument("net", type=click.Path())
@click.argument("data", metavar="INPUT", type=click.Path())
@click.option(
    "-o", "--out", required=True, type=click.Path(), help="Result: .h5 (or .hdf5) or .npz."
)
@click.option(
    "--t-stop",
    type=Duration(),
    help="End of the run, such as '10 ms'. Images are shown up to it where the file does not say "
    "for how many steps.",
)
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

    Images are turned into spikes, simulated and written to an HDF5 file a few at a time, so that
    memory does not grow with their number.

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
    from eventsim.cli.stimuli import Images, Trains, each_sample, read_stimulus
    from eventsim.cli.tally import Tally
    from eventsim.load import load

    network, disc = load(net, architecture, **nir)
    stimulus = read_stimulus(data)
    if spread is not None:
        network = network.with_spread(spread)
    if samples is not None and samples > len(stimulus):
        raise checks.fail("simulate", "--samples", f"at most {len(stimulus)}", samples)
    count = samples or len(stimulus)
    if t_stop is None:
        if disc is None or disc.steps is None or not isinstance(stimulus, Images):
            raise checks.fail("simulate", "--t-stop", "a time such as '10 ms'", "none")
        t_stop = disc.duration
    elif disc is not None and disc.steps is None:
        disc = replace(disc, steps=max(1, round(t_stop / disc.dt)))
    chosen: dict[str, list[int]] = {}
    for name, neurons in record_v:
        chosen.setdefault(name, []).extend(neurons)

    from eventsim.errors import IncompleteRunWarning
    from eventsim.save import save_result
    from eventsim.session import DEFAULT_MAX_EVENTS

    options: dict[str, Any] = {
        "record": record, "record_v": chosen or None, "engine": engine, "threads": threads,
        "max_events": max_events or DEFAULT_MAX_EVENTS,
    }  # fmt: skip
    each = each_sample(network, disc, stimulus, count, seed)
    tally = Tally(network, count)
    with warnings.catch_warnings(), Work("simulating") as work:
        warnings.simplefilter("ignore", IncompleteRunWarning)
        if count == 1 or path.suffix.lower() == ".npz":
            alone = isinstance(stimulus, Trains) and not stimulus.batch
            result = _at_once(network, list(each), t_stop, alone, work, options)
            tally.add_all(result)
            # Said before the file is written, which may take a moment.
            tally.complain()
            save_result(result, path, overwrite=overwrite)
        else:
            from eventsim.stream import simulate_stream

            results = simulate_stream(network, each, t_stop, **options)
            save_result(tally.passing(results, work), path, overwrite=overwrite)
            tally.complain()
        seconds = None if work.watch.seconds else work.seconds
    if tally.complete:
        tally.show(t_stop, seconds)
        if isinstance(stimulus, Images) and stimulus.labels is not None:
            tally.show_accuracy(stimulus.labels)
    wrote([path], tally.words())
    if not tally.complete:
        sys.exit(INTERRUPTED if tally.interrupted else STOPPED)


def _at_once(
    net: Network, each: list[Any], t_stop: float, alone: bool, work: Work, options: dict[str, Any]
) -> Result | Results:
    """One run, or a batch that is held in memory."""
    from eventsim.simulate import simulate

    if alone:
        (inputs, currents), *_ = each
        return simulate(net, inputs, t_stop, currents=currents, progress=work, **options)
    inputs = {name: [sample[0][name] for sample in each] for name in each[0][0]}
    currents = [sample[1] for sample in each] if each[0][1] is not None else None
    return simulate(net, inputs, t_stop, currents=currents, progress=work, **options)
