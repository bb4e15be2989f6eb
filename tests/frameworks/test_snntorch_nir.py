"""snnTorch's own NIR export against from_torch on the same module."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import nir
import numpy as np
import pytest
import torch

import eventsim as es
from eventsim.load.modules import from_torch
from tests.frameworks import record_snntorch, record_snntorch_nir

DT = 1e-3
CASES = record_snntorch.networks()

# The package writes a field that LIF nodes of older versions do not have.
pytestmark = pytest.mark.skipif(
    "v_reset" not in {field.name for field in dataclasses.fields(nir.LIF)}, reason="nir < 1.0.5"
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_export_is_the_module(case: dict, tmp_path: Path) -> None:
    """The network from the file spikes as the one from the module."""
    path = tmp_path / "net.nir"
    nir.write(path, record_snntorch_nir.export(case))
    reset = {"subtract": "subtract", "zero": "value"}[
        case["layers"][0]["arguments"]["reset_mechanism"]
    ]
    read = es.load_nir(path, dt=DT, exporter="snntorch", reset=reset).network
    net = record_snntorch_nir.sequential(case)
    for part in net:
        if hasattr(part, "reset_delay"):
            part.reset_delay = True  # hidden states of RSynaptic need it
    sample = torch.tensor(case["x"]).transpose(0, 1)
    made, _ = from_torch(net, sample, dt=DT, run="step")
    rng = np.random.default_rng(1)
    senders = rng.integers(0, 6, 300)
    train = es.SpikeTrain(np.sort(rng.uniform(0.0, 0.04, 300)), senders)
    ours = es.simulate(read, {"input": train}, t_stop=0.04)
    theirs = es.simulate(made, {"input": train}, t_stop=0.04)
    for population in made.populations[1:]:
        name = population.name
        one = ours.spikes[name if name in read.order else f"{name}.lif"]
        two = theirs.spikes[name]
        first, second = (np.lexsort((t.times, t.senders)) for t in (one, two))
        assert len(one) > 5
        np.testing.assert_array_equal(one.senders[first], two.senders[second])
        np.testing.assert_allclose(one.times[first], two.times[second], rtol=0, atol=1e-4 * DT)


def test_recorded_files_are_what_the_package_writes(tmp_path: Path) -> None:
    record_snntorch_nir.main(tmp_path)
    for path in sorted(tmp_path.glob("*.nir")):
        new, old = nir.read(path), nir.read(record_snntorch_nir.FOLDER / path.name)
        assert set(new.nodes) == set(old.nodes) and set(new.edges) == set(old.edges)
        for name, node in new.nodes.items():
            for field in ("weight", "bias", "tau", "tau_mem", "tau_syn", "r", "w_in"):
                if hasattr(node, field):
                    np.testing.assert_array_equal(
                        getattr(node, field), getattr(old.nodes[name], field)
                    )
