"""The networks of the study of the forecast: shipped ones, small trained ones, variants of both.

The limits of the warnings were chosen on some of them; the others decide. The latter are of another
data set, other sizes and other seeds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import eventsim as es
from validation import small_nets
from validation.small_nets import Recipe

__all__ = ["CHOOSE", "DECIDE", "Case", "cases", "number_of_cases"]

DATA = Path(__file__).resolve().parent.parent / "data"
IMAGES = "fashion-mnist_test500.npz"

#: The halves: on the first the limits of the warnings were chosen, the second decides.
CHOOSE, DECIDE = "choose", "decide"

#: Images that the forecast sees, and others on which transfer is measured.
SEEN, MEASURED, DIGITS_MEASURED, MNIST_MEASURED, QUICK_IMAGES = 200, 200, 360, 400, 30
#: Images of MNIST that networks are trained on.
MNIST_TRAINED = 1_200


class Case(NamedTuple):
    """A network with images for the forecast and others, with classes, to measure on."""

    name: str
    half: str
    net: es.Network
    disc: es.Discretization
    seen: NDArray
    images: NDArray
    labels: NDArray[np.int64]


def number_of_cases() -> int:
    """How many networks there are."""
    return sum(map(len, (FASHION, DIGITS, DIGITS_CHANGED, MNIST, MNIST_CHANGED)))


def cases(quick: bool) -> Iterator[Case]:
    """All networks, each made when its turn comes."""
    with np.load(DATA / IMAGES, allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    end = QUICK_IMAGES if quick else MEASURED
    seen = images[MEASURED : MEASURED + (QUICK_IMAGES if quick else SEEN)]
    for name, (file_name, change) in FASHION.items():
        net, disc = change(*es.load(DATA / f"{file_name}.h5"))
        yield Case(name, CHOOSE, net, disc, seen, images[:end], labels[:end])
    digits = small_nets.read_digits()
    end = QUICK_IMAGES if quick else DIGITS_MEASURED
    yield from _trained(CHOOSE, DIGITS, DIGITS_CHANGED, digits, end, quick)
    end = QUICK_IMAGES if quick else MNIST_MEASURED
    mnist = small_nets.read_mnist(MNIST_TRAINED, end)
    yield from _trained(DECIDE, MNIST, MNIST_CHANGED, mnist, end, quick)


def _trained(
    half: str,
    recipes: dict[str, Recipe],
    changed: dict[str, tuple[str, Change]],
    pictures: small_nets.Pictures,
    end: int,
    quick: bool,
) -> Iterator[Case]:
    """Networks trained here, then variants of them."""
    seen = pictures.train_images[: QUICK_IMAGES if quick else SEEN]
    images, labels = pictures.test_images[:end], pictures.test_labels[:end]
    made = {}
    for name, recipe in recipes.items():
        recipe = dataclasses.replace(recipe, epochs=2) if quick else recipe
        made[name] = small_nets.train(recipe, pictures)
        yield Case(name, half, *made[name], seen, images, labels)
    for name, (base, change) in changed.items():
        yield Case(name, half, *change(*made[base]), seen, images, labels)


Change = Callable[[es.Network, es.Discretization], tuple[es.Network, es.Discretization]]


def _plain() -> Change:
    return lambda net, disc: (net, disc)


def _scaled(factor: float, *layers: str) -> Change:
    """Weights and biases of some layers times a factor; of all where none is named."""

    def change(net: es.Network, disc: es.Discretization) -> tuple[es.Network, es.Discretization]:
        for p in net.populations:
            if isinstance(p, es.Population) and (not layers or p.name in layers):
                net = net.replace(p.name, i_bias=p.array("i_bias") * factor)
        links = [
            dataclasses.replace(link, weight=link.weight * np.float32(factor))
            if hasattr(link, "weight") and (not layers or link.target in layers)
            else link
            for link in net.projections
        ]
        return es.Network(net.populations, links), disc

    return change


def _slower(factor: float) -> Change:
    """Membrane time constants times a factor, at the same charge of the bias."""

    def change(net: es.Network, disc: es.Discretization) -> tuple[es.Network, es.Discretization]:
        for p in net.populations:
            if isinstance(p, es.Population):
                changed = {f: p.array(f) * factor for f in ("tau_mem", "i_bias")}
                net = net.replace(p.name, **changed)
        return net, disc

    return change


def _trained_as(**changes: Any) -> Change:
    return lambda net, disc: (net, dataclasses.replace(disc, **changes))


def _fashion() -> dict[str, tuple[str, Change]]:
    """The shipped networks and variants of them: name -> file and change."""
    found: dict[str, tuple[str, Change]] = {
        name: (name, _plain()) for name in ("shallow", "hidden", "conv", "lenet5", "lenet5_const")
    }
    for factor in (0.25, 0.5, 0.7, 2.0):
        found[f"hidden x {factor:g}"] = ("hidden", _scaled(factor))
    for factor in (0.25, 2.0):
        found[f"hidden, out x {factor:g}"] = ("hidden", _scaled(factor, "out"))
    for factor in (0.3, 2.0):
        found[f"shallow x {factor:g}"] = ("shallow", _scaled(factor))
    for factor in (0.5, 1.5):
        found[f"conv x {factor:g}"] = ("conv", _scaled(factor))
    found["hidden, tau x 0.25"] = ("hidden", _slower(0.25))
    found["hidden, 16 steps"] = ("hidden", _trained_as(steps=16))
    found["hidden, periodic"] = ("hidden", _trained_as(encoder="periodic"))
    found["hidden, periodic, 16 steps"] = ("hidden", _trained_as(encoder="periodic", steps=16))
    found["lenet5 x 0.7"] = ("lenet5", _scaled(0.7))
    found["lenet5_const x 0.7"] = (
        "lenet5_const", _scaled(0.7, "conv1", "conv2", "fc1", "fc2", "out")
    )  # fmt: skip
    return found


FASHION = _fashion()

DIGITS = {
    "digits, no hidden layer": Recipe(hidden=()),
    "digits, 64": Recipe(),
    "digits, 64, cross-entropy": Recipe(loss="cross-entropy"),
    "digits, 64, 2 steps": Recipe(steps=2),
    "digits, 64, 8 steps": Recipe(steps=8),
    "digits, 64, periodic": Recipe(encoder="periodic"),
    "digits, 64-64": Recipe(hidden=(64, 64)),
    "digits, 48-48-48-48": Recipe(hidden=(48, 48, 48, 48)),
}
DIGITS_CHANGED: dict[str, tuple[str, Change]] = {
    "digits, 64 x 1.7": ("digits, 64", _scaled(1.7)),
    "digits, 64-64 x 0.6": ("digits, 64-64", _scaled(0.6)),
    "digits, 48-48-48-48 x 0.8": ("digits, 48-48-48-48", _scaled(0.8)),
}

MNIST = {
    "mnist, no hidden layer": Recipe(hidden=(), seed=201),
    "mnist, 110": Recipe(hidden=(110,), seed=202),
    "mnist, 36": Recipe(hidden=(36,), seed=203),
    "mnist, 80, tau 1.5": Recipe(hidden=(80,), tau=1.5, seed=204),
    "mnist, 80, tau 12": Recipe(hidden=(80,), tau=12.0, seed=205),
    "mnist, 80, 3 steps": Recipe(hidden=(80,), steps=3, seed=206),
    "mnist, 80, 9 steps": Recipe(hidden=(80,), steps=9, seed=207),
    "mnist, 80, periodic": Recipe(hidden=(80,), encoder="periodic", seed=208),
    "mnist, 80, entropy, large": Recipe((80,), loss="cross-entropy", gain=6.0, seed=209),
    "mnist, 75-75": Recipe(hidden=(75, 75), seed=210),
    "mnist, 55-55-55": Recipe(hidden=(55, 55, 55), seed=211),
    "mnist, 60-60-60-60": Recipe(hidden=(60, 60, 60, 60), seed=212),
    "mnist, random 160, small": Recipe((160,), frozen=True, gain=3.0, seed=213),
    "mnist, random 160, large": Recipe((160,), frozen=True, gain=6.0, seed=214),
    "mnist, random 130-130": Recipe((130, 130), frozen=True, gain=4.0, seed=215),
}
MNIST_CHANGED: dict[str, tuple[str, Change]] = {
    **{f"mnist, 110 x {f:g}": ("mnist, 110", _scaled(f)) for f in (0.4, 0.65, 1.6)},
    "mnist, no hidden layer x 0.6": ("mnist, no hidden layer", _scaled(0.6)),
    "mnist, no hidden layer x 1.5": ("mnist, no hidden layer", _scaled(1.5)),
    "mnist, 75-75, out x 0.5": ("mnist, 75-75", _scaled(0.5, "out")),
    "mnist, 75-75 x 0.65": ("mnist, 75-75", _scaled(0.65)),
    "mnist, 55-55-55 x 0.75": ("mnist, 55-55-55", _scaled(0.75)),
    "mnist, 60-60-60-60 x 0.8": ("mnist, 60-60-60-60", _scaled(0.8)),
    "mnist, 60-60-60-60, 12 steps": ("mnist, 60-60-60-60", _trained_as(steps=12)),
}
