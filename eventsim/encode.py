"""From images to spikes in steps, from steps to spike times, and back.

Random numbers belong to a sample, not to a batch: sample ``s`` draws from its own generator,
keyed by ``seed`` and its id, so it gets the same train in whatever batch it is. By default the
ids are 0, 1, 2, ... in the order of the array; pass ``sample_ids`` for a part of a data set.

Images are arrays [sample, ...] with pixels between 0 and 1; trailing axes (channel, y, x) are
flattened. Spikes in steps are uint8 arrays [sample, step, n] of 0 and 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.discrete.theory import coefficients
from eventsim.discretization import Discretization
from eventsim.errors import InvalidType
from eventsim.generators import Seed, generators, keyed_by
from eventsim.populations import Population
from eventsim.recording import SpikeTrain

__all__ = [
    "bernoulli", "encode", "periodic", "poisson", "to_currents", "to_spike_trains", "to_steps",
]  # fmt: skip

Array = NDArray[Any]

# Independent streams of one seed: which pixels spike, and when within the step.
_ENCODE, _JITTER = 0, 1


def bernoulli(
    images: ArrayLike,
    steps: int,
    scale: float = 1.0,
    *,
    seed: Seed = 0,
    sample_ids: ArrayLike | None = None,
) -> NDArray[np.uint8]:
    """Random spikes: in each step a pixel spikes with probability ``min(1, scale * pixel)``.

    Parameters
    ----------
    images : array [sample, ...]
        Pixels between 0 and 1.
    steps : int
        Number of steps, >= 1. A longer train begins with the shorter one of the same seed.
    scale : float
        Factor on the pixels, > 0.
    seed : int or tuple of int
        Seed, >= 0.
    sample_ids : array of int [sample], optional
        Ids that key the samples' generators. Default 0, 1, 2, ...

    Returns
    -------
    array of uint8 [sample, step, n]

    Raises
    ------
    InvalidValue, InvalidType
        Pixels outside [0, 1], or another argument of the wrong type or range.

    Examples
    --------
    >>> bernoulli([[0.0, 0.5, 1.0]], steps=4, seed=1)[0].tolist()
    [[0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 1, 1]]
    >>> whole = bernoulli([[0.5], [0.5]], 8)
    >>> bool((bernoulli([[0.5]], 8, sample_ids=[1])[0] == whole[1]).all())
    True

    Notes
    -----
    Called Poisson input in arXiv:2007.06176.
    """
    where = "bernoulli"
    pixels = _images(where, images)
    steps, scale = checks.whole(where, "steps", steps, 1), checks.positive(where, "scale", scale)
    ids = keyed_by(where, sample_ids, len(pixels))
    spikes = np.empty((len(pixels), steps, pixels.shape[1]), dtype=np.uint8)
    for k, generator in enumerate(generators(where, seed, ids, _ENCODE)):
        # A draw lies in [0, 1): pixel 0 never spikes, pixel 1 always does.
        spikes[k] = generator.random(spikes.shape[1:]) < scale * pixels[k].astype(np.float64)
    return spikes


poisson = bernoulli


def periodic(images: ArrayLike, steps: int, scale: float = 1.0) -> NDArray[np.uint8]:
    """Regular spikes: a pixel adds ``scale * pixel`` per step, and spikes when it reaches 1.

    After a spike the sum starts again from 0; what is above 1 is lost.

    Parameters
    ----------
    images : array [sample, ...]
        Pixels between 0 and 1. Sums are rounded in float32 if the array is float32 (as in a
        training framework that encodes float32 images), else in float64.
    steps : int
        Number of steps, >= 1.
    scale : float
        Factor on the pixels, > 0.

    Returns
    -------
    array of uint8 [sample, step, n]

    Raises
    ------
    InvalidValue, InvalidType
        Pixels outside [0, 1], or another argument of the wrong type or range.

    Examples
    --------
    >>> periodic([[0.0, 0.5, 1.0]], steps=4)[0].tolist()
    [[0, 0, 1], [0, 1, 1], [0, 0, 1], [0, 1, 1]]
    """
    where = "periodic"
    pixels = _images(where, images)
    steps, scale = checks.whole(where, "steps", steps, 1), checks.positive(where, "scale", scale)
    added = pixels.dtype.type(scale) * pixels
    spikes = np.empty((len(pixels), steps, pixels.shape[1]), dtype=np.uint8)
    total = np.zeros_like(added)
    for step in range(steps):
        total += added
        fires = total >= 1
        spikes[:, step] = fires
        total[fires] = 0
    return spikes


def encode(
    images: ArrayLike,
    disc: Discretization,
    *,
    steps: int | None = None,
    seed: Seed = 0,
    sample_ids: ArrayLike | None = None,
) -> Array:
    """What ``disc.run`` takes, made from images by the encoder of ``disc``.

    Parameters
    ----------
    images : array [sample, ...]
        Pixels between 0 and 1.
    disc : Discretization
        Encoder, its scale, and the number of steps.
    steps : int, optional
        Another number of steps than ``disc.steps``.
    seed, sample_ids
        For the Bernoulli encoder, as in :func:`bernoulli`.

    Returns
    -------
    array
        uint8 spikes [sample, step, n]; for the encoder ``"constant"`` the images as they are,
        [sample, n], since ``disc.run`` applies the scale to analog input.

    Raises
    ------
    InvalidValue, InvalidType
        As the encoders.

    Examples
    --------
    >>> disc = Discretization(dt=1e-3, steps=3, encoder="periodic", encoder_scale=0.5)
    >>> encode([[1.0]], disc)[0, :, 0]
    array([0, 1, 0], dtype=uint8)
    """
    if disc.encoder == "constant":
        return _images("encode", images)
    steps = disc.known_steps("encode") if steps is None else steps
    if disc.encoder == "bernoulli":
        return bernoulli(images, steps, disc.encoder_scale, seed=seed, sample_ids=sample_ids)
    return periodic(images, steps, disc.encoder_scale)


def to_currents(
    images: ArrayLike, disc: Discretization, population: Population, t_start: float = 0.0
) -> list[dict[str, list[tuple[float, int, float]]]]:
    r"""Constant currents that bring the charge of analog images to a population.

    The population gets the charge of the discrete step as a constant drive:

    .. math:: i = \frac{\tau_\mathrm{mem}}{r \, dt} \, q, \qquad
        q = \mathrm{scale} \cdot \mathrm{pixel} \, / \, c

    (without ``tau_mem`` where it is infinite). The division by c holds for the rule
    ``"constant_potential"`` alone, whose input is the mean potential a step after a spike.

    Parameters
    ----------
    images : array [sample, ...]
        Pixels between 0 and 1, as many as the population has neurons.
    disc : Discretization
        Step, scale, and the rule of the population.
    population : Population
        The target of the currents, ``r`` not 0.
    t_start : float
        When the currents are switched on, in seconds.

    Returns
    -------
    list of dict
        For each sample ``{population.name: [(t_start, neuron, current), ...]}``, neurons with
        current 0 left out: the argument ``currents`` of :func:`eventsim.simulate`.

    Raises
    ------
    InvalidValue, InvalidType
        Wrong number of pixels, pixels outside [0, 1], or ``r = 0``.

    Examples
    --------
    >>> pop = Population("eye", 2, tau_mem=4e-3, t_ref=1e-3)
    >>> to_currents([[0.0, 0.5]], Discretization(dt=1e-3, steps=4, encoder="constant"), pop)
    [{'eye': [(0.0, 1, 2.0)]}]
    """
    where = "to_currents"
    pixels = _images(where, images).astype(np.float64)
    if pixels.shape[1] != population.n:
        raise checks.fail(where, "images", f"{population.n} pixels", pixels.shape[1])
    gain, tau = population.array("r"), population.array("tau_mem")
    if (gain == 0).any():
        raise checks.fail(where, f"population {population.name!r}: r", "not 0", 0.0)
    start = checks.scalar(where, "t_start", t_start)
    charge = disc.encoder_scale * pixels
    if disc.rule_of(population.name) == "constant_potential":
        charge = charge / coefficients(tau / disc.dt).c
    currents = charge * np.where(np.isinf(tau), 1.0, tau) / (gain * disc.dt)
    return [
        {population.name: [(start, int(i), float(row[i])) for i in np.flatnonzero(row)]}
        for row in currents
    ]


def to_spike_trains(
    x: ArrayLike,
    dt: float,
    jitter: float = 1.0,
    seed: Seed = 0,
    sample_ids: ArrayLike | None = None,
    phase: float = 0.0,
) -> list[SpikeTrain]:
    """Spike times for spikes in steps, one train for each sample.

    A spike of step ``k`` arrives at ``(k + phase + jitter u) dt``, ``u`` uniform in [0, 1): within
    ``[k dt, (k + 1) dt)`` in float64 too. Its ``u`` depends on seed, sample id, step and unit
    alone, not on other spikes.

    Parameters
    ----------
    x : array of 0 and 1 [sample, step, n]
        Spikes in steps.
    dt : float
        Length of a step in seconds, > 0.
    jitter : float
        Part of the step over which arrivals spread, 0 to 1. 0: all at one time of the step.
    seed : int or tuple of int
        Seed, >= 0.
    sample_ids : array of int [sample], optional
        Ids that key the samples' generators. Default 0, 1, 2, ...
    phase : float
        Where in the step arrivals begin, 0 to ``1 - jitter``.

    Returns
    -------
    list of SpikeTrain
        Times in seconds, sorted by (time, sender).

    Raises
    ------
    InvalidValue, InvalidType
        Other values than 0 and 1, or another argument of the wrong type or range.

    Examples
    --------
    >>> train, = to_spike_trains([[[1, 0], [1, 1]]], dt=1e-3, jitter=0.0)
    >>> train.times.tolist(), train.senders.tolist()
    ([0.0, 0.001, 0.001], [0, 0, 1])
    >>> train, = to_spike_trains([[[1, 0], [1, 1]]], dt=1e-3)
    >>> to_steps(train, n=2, dt=1e-3, steps=2).tolist()
    [[1, 0], [1, 1]]
    """
    where = "to_spike_trains"
    spikes = checks.binary(where, "x", x)
    if spikes.ndim != 3:
        raise checks.fail(where, "x", "shape [sample, step, n]", f"shape {spikes.shape}")
    dt = checks.positive(where, "dt", dt)
    jitter = checks.scalar(where, "jitter", jitter)
    if not 0.0 <= jitter <= 1.0:
        raise checks.fail(where, "jitter", "a number from 0 to 1", jitter)
    phase = checks.scalar(where, "phase", phase)
    if not 0.0 <= phase <= 1.0 - jitter:
        raise checks.fail(where, "phase", f"a number from 0 to 1 - jitter = {1 - jitter:g}", phase)
    ids = keyed_by(where, sample_ids, len(spikes))
    steps, n = spikes.shape[1:]
    begin = np.arange(steps + 1) * dt
    end = np.nextafter(begin[1:], -np.inf)
    trains = []
    for sample, generator in zip(spikes, generators(where, seed, ids, _JITTER), strict=True):
        place = np.flatnonzero(sample != 0)
        step = place // max(n, 1)
        times = begin[step]
        if jitter > 0.0 or phase > 0.0:
            draws = generator.random(sample.shape).ravel()[place]
            # Rounding may reach the next step's start, or fall before this one's.
            times = np.clip((step + phase + jitter * draws) * dt, begin[step], end[step])
        order = np.argsort(times, kind="stable")  # those of one time are in order of senders
        trains.append(SpikeTrain.trusted(times[order], (place - step * n)[order]))
    return trains


def to_steps(train: SpikeTrain, n: int, dt: float, steps: int) -> NDArray[np.int64]:
    """Spikes of each unit in each step: step ``k`` counts times in ``[k dt, (k + 1) dt)``.

    Parameters
    ----------
    train : SpikeTrain
        Times in seconds.
    n : int
        Number of units.
    dt : float
        Length of a step in seconds, > 0.
    steps : int
        Number of steps, >= 1.

    Returns
    -------
    array of int64 [step, n]

    Raises
    ------
    InvalidValue, InvalidType
        A spike lies outside ``[0, steps dt)`` or a sender outside ``[0, n)``; ``train.between``
        cuts a train to the window.

    Examples
    --------
    >>> to_steps(SpikeTrain([0.0, 0.5e-3, 1e-3], [0, 0, 1]), n=2, dt=1e-3, steps=2).tolist()
    [[2, 0], [0, 1]]
    """
    where = "to_steps"
    if not isinstance(train, SpikeTrain):
        raise InvalidType(f"{where}: train: expected a SpikeTrain, got {type(train).__name__}")
    n, steps = checks.whole(where, "n", n, 1), checks.whole(where, "steps", steps, 1)
    dt = checks.positive(where, "dt", dt)
    edges = np.arange(steps + 1) * dt
    step = np.searchsorted(edges, train.times, side="right") - 1
    outside = (step < 0) | (step >= steps)
    if outside.any():
        raise checks.fail(
            where, "train", f"times in [0, {edges[-1]:g}) s", train.times[int(np.argmax(outside))]
        )
    if len(train) and not 0 <= train.senders.min() <= train.senders.max() < n:
        raise checks.fail(where, "train", f"senders in [0, {n})", train.senders.max())
    counts = np.bincount(step * n + train.senders, minlength=steps * n)
    return counts.reshape(steps, n).astype(np.int64)


def _images(where: str, images: ArrayLike) -> Array:
    pixels = checks.real_array(where, "images", images)
    if pixels.ndim < 2 or 0 in pixels.shape:
        raise checks.fail(where, "images", "shape [sample, ...]", f"shape {pixels.shape}")
    pixels = pixels.reshape(len(pixels), -1)
    checks.finite(where, "images", pixels)
    bad = (pixels < 0) | (pixels > 1)
    if bad.any():
        index = [int(i) for i in np.argwhere(bad)[0]]
        raise checks.fail(
            where, f"images{index}", "pixels between 0 and 1 (divide bytes by 255)",
            pixels[tuple(index)],
        )  # fmt: skip
    return pixels
