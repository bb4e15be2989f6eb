"""Results as tables of pandas."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from eventsim.errors import MissingExtra
from eventsim.save import to_pandas
from tests.results.made import N, result


def test_table_of_one_run(run):
    table = to_pandas(run)
    assert list(table.columns) == ["time", "population", "sender"]
    assert list(table["population"].cat.categories) == ["image", "hidden", "out"]
    assert len(table) == 1200
    assert table["time"].is_monotonic_increasing
    for name in N:
        part = table[table["population"] == name]
        np.testing.assert_array_equal(part["time"], run.spikes[name].times)
        np.testing.assert_array_equal(part["sender"], run.spikes[name].senders)
    pd.testing.assert_frame_equal(run.to_pandas(), table)


def test_table_of_a_batch(batch):
    table = to_pandas(batch)
    assert list(table.columns) == ["sample", "time", "population", "sender"]
    counts = table.groupby("sample").size().to_dict()
    assert counts == {0: 150, 2: 21}
    one = table[table["sample"] == 2].drop(columns="sample").reset_index(drop=True)
    pd.testing.assert_frame_equal(one, batch[2].to_pandas())


def test_table_without_spikes(rng, net):
    table = to_pandas(result(rng, net, 0))
    assert len(table) == 0
    assert table["sender"].dtype == np.int64


def test_table_needs_pandas(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match="pandas"):
        run.to_pandas()
