"""How the output of a network stands for classes, checked before anything runs."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from eventsim import checks
from eventsim.discretization import DECODERS, Discretization
from eventsim.errors import UnsupportedNetwork
from eventsim.network import Units
from eventsim.populations import Population

__all__ = ["class_count", "class_notes", "decoded"]


def decoded(where: str, disc: Discretization, output: Units, decoder: Any) -> Discretization:
    """The discretization with a decoder that the output has."""
    if decoder is not None and decoder not in DECODERS:
        raise checks.fail(where, "decoder", f"one of {list(DECODERS)}", repr(decoder))
    chosen = disc.decoder if decoder is None else decoder
    spiking = np.ones(1, dtype=bool)
    if isinstance(output, Population):
        spiking = np.isfinite(output.array("v_threshold"))
    if spiking.any() and not spiking.all():
        raise UnsupportedNetwork(
            f"{where}: net: expected an output population of which all neurons spike or none, got "
            f"{output.name!r} with v_threshold = inf for {int((~spiking).sum())} of {output.n}"
        )
    if spiking.all() and chosen != "count":
        raise checks.fail(
            where, "decoder", f"'count', as population {output.name!r} spikes (potentials are read "
            "from neurons without threshold)", repr(chosen),
        )  # fmt: skip
    if not spiking.any() and chosen == "count":
        if decoder is not None:
            raise checks.fail(
                where, "decoder", "'last', 'mean' or 'max', as population "
                f"{output.name!r} has no threshold and does not spike", repr(chosen),
            )  # fmt: skip
        note = (
            f"decoder: assumed to be mean, as {output.name} does not spike and none was given "
            "(decoder=... says it)"
        )
        return dataclasses.replace(disc, decoder="mean", notes=(*disc.notes, note))
    if chosen == disc.decoder:
        return disc
    # What a loader assumed of the decoder does not hold any more.
    notes = tuple(note for note in disc.notes if not note.startswith("decoder: "))
    return dataclasses.replace(disc, decoder=chosen, notes=notes)


def class_count(where: str, output: Units, n_classes: Any) -> int:
    """Number of classes, of equally many output neurons each."""
    if n_classes is None:
        return output.n
    found = checks.whole(where, "n_classes", n_classes, 1)
    if output.n % found:
        raise checks.fail(
            where, "n_classes", f"a divisor of {output.n}, the size of population {output.name!r}",
            found,
        )  # fmt: skip
    return found


def class_notes(output: Units, decoder: str, classes: int, named: int) -> list[str]:
    """What a reader of the classes has to know; ``named``: how many the labels name."""
    n, found = output.n, []
    if decoder != "count":
        found.append(
            f"Layer {output.name} has potentials and no spikes: it decides the class "
            f"(decoder {decoder}), and is in no table of spikes."
        )
    if classes < n:
        found.append(
            f"The {n} output neurons are those of {classes} classes, {n // classes} neighbours for "
            "each, whose scores are added up."
        )
    elif n >= 2 * named:
        found.append(
            f"The labels name {named} classes, and each of the {n} output neurons counts as one: "
            "if several stand for a class, n_classes (--classes) adds them up."
        )
    return found
