"""snnTorch's own NIR export against from_torch on the same module.

It needs nir 1.0.5 or newer, which sinabs does not allow beside it: `make test-frameworks` has an
environment for these tests alone.
"""

from __future__ import annotations

from pathlib import Path

import nir
import pytest
import torch

import eventsim as es
from eventsim.load.modules import from_torch
from tests.frameworks import nir_files, record_snntorch, record_snntorch_nir
from tests.frameworks.nir_files import assert_recorded, assert_same

DT = 1e-3
CASES = record_snntorch.networks()


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
    assert_same(read, made, nir_files.spikes(6, 1, 0.04), 0.04, 20, 1e-4 * DT)


def test_recorded_files_are_what_the_package_writes(tmp_path: Path) -> None:
    record_snntorch_nir.main(tmp_path)
    for path in sorted(tmp_path.glob("*.nir")):
        assert_recorded(path)
