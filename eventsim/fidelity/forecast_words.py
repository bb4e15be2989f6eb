"""A forecast in words and in plain text tables."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from eventsim.fidelity import cautions
from eventsim.fidelity.cautions import Caution, Limits
from eventsim.fidelity.words import WIDTH, number, share_text, table

if TYPE_CHECKING:
    from eventsim.fidelity.forecast import Forecast

__all__ = ["summary"]

LEGEND = (
    "Charge: what a neuron gets in a step, in thresholds: mean, standard deviation (sd), and that "
    "from step to step alone (in time). Excursion: by how much single arrivals carry it away from "
    "an even flow within the step; the part that comes from neurons decides. Strong: weights at "
    "or above the threshold; unseen: those of them that never fire the coarse neuron alone. "
    "Knee: charge that locks the coarse rate. Full: a spike in every step. Phase: when in the step "
    "an even charge fires the neuron, and how far from uniform these times are (distance)."
)


def summary(found: Forecast) -> str:
    """Risks, what decides them, layers, answers, warnings."""
    s, risk = found.settings, found.risk
    verdict = (
        f"From the coarse network alone: the risk is {risk['deltas']} with deltas and "
        f"{risk['pulses']} with pulses of one step."
    )
    head = (
        f"{s['samples']} of {s['images']} images, {s['steps']} "
        f"step{'s' * (s['steps'] > 1)} of {1e3 * s['dt']:g} ms, encoder {s['encoder']}, "
        f"seed {s['seed']}; nothing was simulated in continuous time"
    )
    parts = [
        textwrap.fill(verdict, WIDTH),
        textwrap.fill(head, WIDTH),
        _deciding(found),
        _charges(found),
        _spikes(found),
        _answers(found),
        _warnings(found.warnings),
        textwrap.fill(LEGEND, WIDTH),
    ]
    return "\n\n".join(part for part in parts if part)


def _deciding(found: Forecast) -> str:
    def row(kind: str, what: str, value: float, limits: Limits, factor: float) -> tuple[str, ...]:
        return (
            kind, what, f"{factor * value:.{2 if factor == 1 else 1}f}",
            f"{factor * limits.raised:g}", number(limits.high, "g", factor),
        )  # fmt: skip

    silent = found.answers.silent.value
    assert silent is not None
    return table(
        [
            ("", "what decides", "value", "raised from", "high from"),
            row("deltas", "excursion, thresholds", found.excursion, cautions.EXCURSION, 1),
            row("pulses", "answers that hang on late spikes, %", found.late, cautions.LATE, 100),
            row("", "delay of the output, % of the window", found.delay, cautions.DELAY, 100),
            row("both", "samples without any output spike, %", silent, cautions.SILENT, 100),
        ],
        left=2,
    )


def _charges(found: Forecast) -> str:
    rows: list[tuple[str, ...]] = [
        ("layer", "neurons", "charge", "sd", "in time", "excursion", "from neurons", "strong, %",
         "unseen, %", "knee, %")
    ]  # fmt: skip
    for layer in found.layers:
        rows.append((
            layer.name,
            str(layer.n),
            f"{layer.mean:z.2f}",
            f"{layer.sd:.2f}",
            f"{layer.sd_in_time:.2f}",
            f"{layer.excursion:.2f}",
            f"{layer.from_neurons:.2f}",
            number(layer.strong, ".1f", 100),
            number(layer.unseen, ".1f", 100),
            f"{100 * layer.above_knee:.1f}",
        ))  # fmt: skip
    return table(rows)


def _spikes(found: Forecast) -> str:
    rows: list[tuple[str, ...]] = [
        ("layer", "spikes per step", "silent, %", "full, %", "phase", "distance", "ISI CV")
    ]
    for layer in found.layers:
        rows.append((
            layer.name,
            f"{layer.rate:.3f}",
            f"{100 * layer.silent:.1f}",
            f"{100 * layer.saturated:.1f}",
            number(layer.phase, ".2f"),
            number(layer.phase_distance, ".2f"),
            number(layer.isi_cv, ".2f"),
        ))  # fmt: skip
    return table(rows)


def _answers(found: Forecast) -> str:
    answers = found.answers
    rows = [
        ("accuracy of the coarse network", answers.accuracy),
        ("same class in a second draw of the input", answers.second_draw),
        ("class leads by one spike or none", answers.close),
        ("ties", answers.ties),
    ]
    return table(
        [("answers", "%")]
        + [(what, share_text(share)) for what, share in rows if share is not None]
    )


def _warnings(items: tuple[Caution, ...]) -> str:
    if not items:
        return "No warnings."
    lines = [_deciding_warning(c) for c in items if c.level != "note"]
    notes: dict[str, list[Caution]] = {}
    for caution in items:
        if caution.level == "note":
            notes.setdefault(caution.quantity, []).append(caution)
    lines += [_note(group) for group in notes.values()]
    return "\n".join(["Warnings", *lines])


def _deciding_warning(c: Caution) -> str:
    where = f"most of it in {c.layer}" if c.synapses == "deltas" else c.layer
    kind = "deltas and pulses" if c.synapses == "both" else c.synapses
    return _item(
        f"{kind}, {c.level}: {c.quantity}, {c.amount(c.value)} ({where}). "
        f"{c.predicts}. What helps: {c.helps}."
    )


def _note(group: list[Caution]) -> str:
    first = group[0]
    layers = ", ".join(f"{c.layer} {c.amount(c.value)}" for c in group)
    kind = "" if first.synapses == "both" else f" for {first.synapses}"
    return _item(f"note{kind}: {first.quantity}: {layers}. {first.predicts}.")


def _item(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="    ")
