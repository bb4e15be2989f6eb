"""``eventsim demo``: the main job on the network and the images that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eventsim.cli.options import duration_text, new_output, overwrite_option, seed_option
from eventsim.cli.terminal import Work, headline, line, table, wrote
from eventsim.errors import FileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eventsim.cli.drawing import Artist
    from eventsim.discretization import Discretization
    from eventsim.fidelity.result import FidelityReport, Variant
    from eventsim.network import Network
    from eventsim.recording import Result

NETWORK, DATA = "hidden.h5", "fashion-mnist_test500.npz"
FILES = ("raster.png", "membrane.png", "report.html")

#: The sample that is drawn is chosen among so many.
CANDIDATES = 16

#: With fewer images the intervals are wider than most differences.
ENOUGH_IMAGES = 100


@click.command()
@click.option(
    "--out",
    type=click.Path(),
    default="eventsim-demo",
    show_default=True,
    help="Folder for the pictures and the report.",
)
@click.option(
    "--samples",
    type=click.IntRange(min=2, max=500),
    default=500,
    show_default=True,
    help="How many images.",
)
@seed_option
@overwrite_option
def demo(out: str, samples: int, seed: int, overwrite: bool) -> None:
    """Compare a network as it was trained with its exact simulation, on real images.

    The network was trained on images of clothes (Fashion-MNIST) with a coarse model of spiking
    neurons: 4 time steps for an image. Here the same weights run in continuous time, where each
    spike has its exact time, and the answers are compared.

    \b
    Examples:
      eventsim demo
      eventsim demo --samples 100 --out pictures
    """
    folder = Path(out)
    outputs = [_output(folder, name, overwrite) for name in FILES]
    from eventsim.cli.drawing import Artist

    with Artist(overwrite) as artist:
        _run(artist, outputs, samples, seed, overwrite)
    headline("Pictures")
    line(f"{FILES[0]:<13} spikes of all layers while the network looks at one image")
    line(f"{FILES[1]:<13} exact potentials of two output neurons, the coarse steps over them")
    line(f"{FILES[2]:<13} the comparison in full")
    wrote(outputs)


def _run(artist: Artist, outputs: list[Path], samples: int, seed: int, overwrite: bool) -> None:
    """Everything between the checks and the last words."""
    from eventsim.jit import load_compiler

    load_compiler()
    from eventsim.cli.stimuli import read_images
    from eventsim.load import load
    from eventsim.resources import data_path

    net, disc = load(data_path(NETWORK))
    assert disc is not None  # it was written with one
    images, labels = read_images(data_path(DATA))
    images, labels = images[:samples], labels[:samples]
    layers = " -> ".join(f"{name} {net[name].n}" for name in net.order)
    headline("A network trained on coarse time steps, simulated in continuous time")
    steps = f"{disc.steps} steps of {duration_text(disc.dt)}"
    line(f"Network: {layers}; trained on 60,000 images of clothes")
    line(f"Test:    {samples} other images, {steps} each; most output spikes win")

    from eventsim.fidelity.compare import validate

    with Work("comparing") as work:
        # First, because it compiles: so the times of the comparison are those of computing.
        outputs[0].parent.mkdir(parents=True, exist_ok=True)
        artist.draw(*_pictures(net, disc, images, labels, seed, outputs))
        report = validate(
            net, disc, images, labels, spread=disc.dt, spreads=[0.0], seed=seed, progress=work
        )
    _show(report)
    report.to_html(outputs[2], overwrite=overwrite)
    artist.finish()


def _output(folder: Path, name: str, overwrite: bool) -> Path:
    if folder.is_dir():
        return new_output(folder / name, overwrite)
    if folder.exists():
        raise FileError(f"{folder}: output: expected a folder, got a file")
    return folder / name


def _pictures(
    net: Network,
    disc: Discretization,
    images: NDArray[Any],
    labels: NDArray[Any],
    seed: int,
    outputs: list[Path],
) -> tuple[Result, list[dict[str, Any]]]:
    """One sample, exact and coarse: right in the coarse network, but with a rival.

    Returns the exact run and what is drawn of it.
    """
    import numpy as np

    from eventsim.encode import encode, to_spike_trains
    from eventsim.recording import Result
    from eventsim.simulate import simulate

    x = encode(images[:CANDIDATES], disc, seed=seed)
    coarse: dict[str, Any] = {
        what: disc.run(net, x, record=what) for what in ("spikes", "potential")
    }
    counts = coarse["spikes"].sum(axis=1, dtype=np.int64)
    winner, rival = np.argsort(-counts, axis=1, kind="stable")[:, :2].T
    right = winner == labels[:CANDIDATES]
    spikes = np.sort(counts, axis=1)
    clear = spikes[:, -1] > spikes[:, -2]
    best = int(np.argmax(100 * (right & clear) + 10 * spikes[:, -2] + spikes[:, -1]))
    neurons = [int(winner[best]), int(rival[best])]
    train = to_spike_trains(x, disc.dt, seed=seed)[best]
    output = net.outputs[0]
    result = simulate(
        net.with_spread(disc.dt), {net.inputs[0]: train}, disc.duration,
        record_v={output: neurons},
    )  # fmt: skip
    assert isinstance(result, Result)  # one sample
    discrete = {
        "dt": disc.dt,
        "v": coarse["potential"][best].tolist(),
        "spikes": coarse["spikes"][best].tolist(),
    }
    membrane = {"population": output, "neurons": neurons, "discrete": discrete}
    return result, [
        {"what": "raster", "out": str(outputs[0]), "options": {"dt": disc.dt}},
        {"what": "membrane", "out": str(outputs[1]), "options": membrane},
    ]


def _show(report: FidelityReport) -> None:
    """One table, one sentence."""
    from eventsim.fidelity.words import share_text

    names = {"coarse": "coarse, as trained", "second draw": "coarse, second draw"}
    rows = []
    for variant in report.variants:
        kind = "pulses" if variant.spread else "deltas"
        name = names.get(variant.kind, f"exact, {kind}")
        spikes = [f"{layer.spikes:.1f}" for layer in variant.layers]
        rows.append((name, share_text(variant.accuracy), share_text(variant.agreement), *spikes))
    headline("Does the trained network still work when time is continuous?")
    line()
    layers = [f"spikes,\n{layer.name}" for layer in report.coarse.layers]
    columns = ("", "right\nanswers, %", "same answer\nas trained, %", *layers)
    table(columns, rows, numbers=range(1, len(columns)))
    line("\nBrackets: 95 % intervals. Spikes: of a whole layer, for one image, on average.")
    line("Second draw: input spikes are random; drawn again, they change some answers.\n")
    line(_verdict(report), style="bold")
    events = sum(variant.events for variant in report.continuous)
    seconds = sum(report.timing[variant.name] for variant in report.continuous)
    line(
        f"The exact runs: {events / 1e6:,.0f} million synaptic events in {seconds:.2g} s, "
        f"{events / seconds / 1e6:,.0f} million per second."
    )


def _verdict(report: FidelityReport) -> str:
    """What happens to the accuracy with each kind of synapse, in one sentence."""
    pulses, deltas = report.continuous
    images = report.coarse.accuracy.total
    if images < ENOUGH_IMAGES:
        return f"{images} images are too few to tell a difference; 500 are there."
    first = f"With spikes that arrive as pulses of one step the network {_fate(pulses)}"
    joint = "and" if _fate(pulses) == _fate(deltas) else "while"
    return f"{first}, {joint} with deltas, which arrive at once, it {_fate(deltas)}."


def _fate(variant: Variant) -> str:
    change = variant.change
    assert change is not None  # only the coarse run has none
    if change.high < 0.0:
        return f"loses {-100 * change.value:.0f} points of accuracy"
    return "keeps its accuracy"
