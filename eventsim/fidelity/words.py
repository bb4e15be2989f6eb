"""A comparison in words and in plain text tables."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eventsim.fidelity.metrics import Difference, Share

if TYPE_CHECKING:
    from eventsim.fidelity.result import FidelityReport, Variant

__all__ = [
    "change_text",
    "grade",
    "number",
    "percent",
    "share_text",
    "summary",
    "table",
    "verdict",
]

#: Loss of accuracy from which on transfer is said to fail, and half width of an interval from
#: which on a reader is told that the samples are few; shares of all samples.
FAILS = 0.05
WIDE = 0.05

#: Columns of text.
WIDTH = 98

GRADES = {"holds": "Transfer holds", "costs": "Transfer holds in part", "fails": "Transfer fails"}


def grade(report: FidelityReport) -> str:
    """``"holds"``, ``"costs"`` or ``"fails"``: the verdict on the first continuous variant.

    It fails when the accuracy lost is beyond chance and 5 points or more. It holds when neither a
    loss of accuracy nor changed classes beyond those of a second draw can be told from chance.
    """
    main = report.continuous[0]
    assert main.change is not None
    loses = main.change.high < 0
    if loses and main.change.value <= -FAILS:
        return "fails"
    noisy = main.beyond_noise is not None and main.beyond_noise.low > 0
    return "costs" if loses or noisy else "holds"


def verdict(report: FidelityReport) -> str:
    """What transfer costs, against the noise of the input, in sentences for a reader."""
    main, change = report.continuous[0], report.continuous[0].change
    assert change is not None
    kind = main.name.removeprefix("continuous, ")
    interval = f"95 % interval {points(change.low)} to {points(change.high)}"
    size = points(change.value)
    if change.high < 0:
        first = f"The loss of {100 * -change.value:.1f} points is beyond chance ({interval})."
    elif change.low > 0:
        first = f"The gain of {100 * change.value:.1f} points is beyond chance ({interval})."
    else:
        first = f"The difference of {size} points cannot be told from chance ({interval})."
    parts = [
        f"{GRADES[grade(report)]}: accuracy {percent(_mean(report.coarse, 'accuracy'))} coarse, "
        f"{percent(_mean(main, 'accuracy'))} continuous with {kind}.",
        first,
        _noise(report),
    ]
    half = (change.high - change.low) / 2
    if half > WIDE:
        parts.append(
            f"With {report.settings['samples']} images a difference below about "
            f"{100 * half:.0f} points cannot be seen."
        )
    return " ".join(parts)


def _noise(report: FidelityReport) -> str:
    main = report.continuous[0]
    changed = f"The class of {percent(1 - _mean(main, 'agreement'))} of the images changes"
    if report.second_draw is None or main.beyond_noise is None:
        return f"{changed}; the input itself has no noise."
    again = percent(1 - _mean(report.second_draw, "agreement"))
    if main.beyond_noise.low > 0:
        compared = "which is more than the noise of the input"
    elif main.beyond_noise.high < 0:
        compared = "which is less than the noise of the input"
    else:
        compared = "which cannot be told from the noise of the input"
    return (
        f"{changed}, {compared}: another draw of the input changes that of {again} in the "
        "coarse network."
    )


def summary(report: FidelityReport) -> str:
    """Verdict, variants and layers as plain text."""
    s = report.settings
    placed = "" if s["encoder"] == "constant" else f"; {_plural(s['jitter_seeds'], 'placement')}"
    head = (
        f"{s['samples']} images, {_plural(s['steps'], 'step')} of {1e3 * s['dt']:g} ms, continuous "
        f"window {1e3 * s['window']:g} ms, encoder {s['encoder']}{placed}, seed {s['seed']}"
    )
    rows: list[tuple[str, ...]] = [
        ("", "accuracy, %", "change, points", "class as coarse, %", "ties, %")
    ]
    for v in report.variants:
        rows.append((
            v.name,
            share_text(v.accuracy),
            change_text(v.change),
            share_text(v.agreement),
            share_text(v.runs[0].ties, interval=False),
        ))  # fmt: skip
    parts = [textwrap.fill(report.verdict, WIDTH), textwrap.fill(head, WIDTH), table(rows)]
    several = [v for v in report.variants if len(v.runs) > 1]
    if several:
        rows = [("mean (range) over runs", "accuracy, %", "class as coarse, %", "ties, %")]
        for v in several:
            rows.append((v.name, *(over_text(v, n) for n in ("accuracy", "agreement", "ties"))))
        parts.append(table(rows))
    rows = [(
        "layer", "", "spikes", "rate, 1/s", "silent, %", "bias", "error", "r", "ISI, ms", "CV",
    )]  # fmt: skip
    for k in range(len(report.coarse.layers)):
        for v in report.variants:
            layer = v.layers[k]
            rows.append((
                layer.name if v is report.coarse else "",
                v.name.removeprefix("continuous, "),
                f"{layer.spikes:.1f}",
                f"{layer.rate:.4g}",
                f"{100 * layer.silent:.1f}",
                number(layer.bias, "+z.3f"),
                number(layer.mae, ".3f"),
                number(layer.correlation, ".3f"),
                number(layer.isi_mean, ".2f", 1e3),
                number(layer.isi_cv, ".2f"),
            ))  # fmt: skip
    if report.coarse.layers:
        parts.append(table(rows, left=2))
    parts += [textwrap.fill(note, WIDTH) for note in s["notes"]]
    if report.ladder is not None:
        parts.append(report.ladder.causes())
    if report.time_steps is not None:
        parts.append(textwrap.fill(f"Clock-driven: {report.time_steps.verdict}", WIDTH))
    parts.append(
        "Brackets: 95 % intervals. Change, class: against the coarse run on the same input spikes. "
        "\nTies go to the lowest index. Bias, error, r: counts of a unit against the coarse ones."
    )
    return "\n\n".join(parts)


def percent(value: float | None) -> str:
    """A share in percent, or a dash where there is none.

    >>> percent(0.8042)
    '80.4 %'
    """
    return "-" if value is None else f"{100 * value:.1f} %"


def points(value: float) -> str:
    """A difference of shares in signed points, without a sign for nothing.

    >>> points(-0.0123), points(-0.0001)
    ('-1.2', '0.0')
    """
    text = f"{100 * value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def number(value: float | None, form: str, factor: float = 1.0) -> str:
    """A number, or a dash where there is none.

    >>> number(0.0012, ".1f", 1e3), number(None, ".1f")
    ('1.2', '-')
    """
    return "-" if value is None else format(factor * value, form)


def share_text(share: Share | None, interval: bool = True) -> str:
    """A share in percent with its interval.

    >>> share_text(Share(1, 4, 0.25, 0.05, 0.7))
    '25.0 [5.0, 70.0]'
    """
    if share is None or share.value is None:
        return "-"
    ends = f" [{100 * share.low:.1f}, {100 * share.high:.1f}]" if interval else ""
    return f"{100 * share.value:.1f}{ends}"


def change_text(change: Difference | None) -> str:
    """A difference in points with its interval.

    >>> change_text(Difference(-0.01, -0.03, 0.01))
    '-1.0 [-3.0, +1.0]'
    """
    if change is None:
        return "-"
    return f"{points(change.value)} [{points(change.low)}, {points(change.high)}]"


def over_text(variant: Variant, name: str) -> str:
    """Mean and range of a share over the runs of a variant, in percent."""
    values = variant.over_runs(name)
    if values is None:
        return "-"
    mean, least, largest = (100 * value for value in values)
    return f"{mean:.1f} ({least:.1f} to {largest:.1f})"


def table(rows: Sequence[tuple[str, ...]], left: int = 1) -> str:
    """Columns in line, the first ``left`` of them to the left, the others to the right.

    >>> print(table([("layer", "spikes"), ("out", "9.5")]))
    layer  spikes
    out       9.5
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell.ljust(width) if k < left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _mean(variant: Variant, name: str) -> float:
    values = variant.over_runs(name)
    assert values is not None
    return values[0]


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
