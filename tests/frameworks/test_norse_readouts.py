"""Networks of Norse that end in leaky integrators, compared end to end."""

from __future__ import annotations

import norse.torch as norse
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import eventsim as es
from eventsim import encode

DT, STEPS, SCALE = 1e-3, 24, 0.5
TRAINED, TESTED = 400, 40


class Classifier(nn.Module):
    """All steps of the cells, and the highest potential of each class as its score."""

    def __init__(self) -> None:
        super().__init__()
        self.net = norse.SequentialState(
            nn.Linear(64, 40), norse.LIFCell(), nn.Linear(40, 10, bias=False), norse.LICell()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state, found = None, []
        for part in x:
            v, state = self.net(part, state)
            found.append(v)
        return torch.log_softmax(torch.stack(found).max(0).values, dim=1)


def spikes(images: np.ndarray, seed: int) -> np.ndarray:
    """What validate makes of images, [sample, step, pixel]."""
    disc = es.Discretization("framework", dt=DT, steps=STEPS, encoder_scale=SCALE)
    return encode.encode(images, disc, seed=seed)


def by_step(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(x).float().transpose(0, 1)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    found = load_digits()
    return found.data / 16.0, found.target


@pytest.fixture(scope="module")
def module(digits: tuple[np.ndarray, np.ndarray]) -> Classifier:
    torch.manual_seed(4)
    made = Classifier()
    images, labels = digits
    training = torch.optim.Adam(made.parameters(), 1e-2)
    for epoch in range(6):
        for first in range(0, TRAINED, 100):
            some = slice(first, first + 100)
            scores = made(by_step(spikes(images[some], epoch)))
            loss = nn.functional.nll_loss(scores, torch.from_numpy(labels[some]))
            training.zero_grad()
            loss.backward()
            training.step()
    return made


def test_digits_end_to_end(
    module: Classifier, digits: tuple[np.ndarray, np.ndarray], tmp_path
) -> None:
    images, labels = (part[TRAINED : TRAINED + TESTED] for part in digits)
    x = spikes(images, 0)
    net, disc = es.from_torch(module, by_step(x), dt=DT, encoder_scale=SCALE)
    assert disc.decoder == "max"
    assert any(note.startswith("decoder: max (what the module returned") for note in disc.notes)
    report = es.validate(net, disc, images, labels, ladder=True, closeups=1)
    with torch.no_grad():
        theirs = module(by_step(x)).numpy()
    ours = report.coarse.runs[0].counts
    centred = [scores - scores.mean(axis=1, keepdims=True) for scores in (ours, theirs)]
    np.testing.assert_allclose(*centred, atol=1e-5)
    near = np.sort(ours, axis=1)
    clear = near[:, -1] - near[:, -2] > 1e-5
    np.testing.assert_array_equal(report.coarse.runs[0].classes[clear], theirs.argmax(1)[clear])
    assert report.coarse.accuracy.value > 0.5
    assert report.continuous[0].agreement.value > 0.7
    assert [layer.name for layer in report.coarse.layers] == ["net.1"]
    assert report.to_html(tmp_path / "page.html").exists()


def test_cells_by_the_step_are_read_on_average(
    module: Classifier, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    """Nothing says how a class is made of a module that gives all its steps."""
    images, labels = (part[TRAINED : TRAINED + 6] for part in digits)
    x = spikes(images, 0)
    net, disc = es.from_torch(module.net, by_step(x), dt=DT, run="step", encoder_scale=SCALE)
    assert disc.decoder == "mean"
    assert any(note.startswith("decoder: mean (assumed") for note in disc.notes)
    assert es.validate(net, disc, images, labels, decoder="last").settings["decoder"] == "last"
