"""Spikes as a pandas table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eventsim.errors import MissingExtra
from eventsim.recording import Result, Results
from eventsim.save.record import common_network, samples_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["to_pandas"]


def to_pandas(result: Result | Results) -> pd.DataFrame:
    """All recorded spikes as a table, sorted by time, population and sender.

    Parameters
    ----------
    result : Result or Results
        A batch is sorted by sample first.

    Returns
    -------
    pandas.DataFrame
        Columns ``time`` (seconds), ``population`` (categories in the order of the network) and
        ``sender``; of a batch, ``sample`` before them.

    Raises
    ------
    MissingExtra
        pandas is not installed.
    InvalidType
        ``result`` is no result.
    """
    samples = samples_of(result)
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtra("pandas", "analysis", "to_pandas") from error
    names = [population.name for population in common_network(samples).populations]
    trains = [
        (k, names.index(name), train)
        for k, sample in enumerate(samples)
        for name, train in sample.spikes.items()
    ]
    sizes = [len(train) for _, _, train in trains]
    nothing = np.zeros(0)
    sample = np.repeat(np.array([k for k, _, _ in trains], dtype=np.int64), sizes)
    code = np.repeat(np.array([c for _, c, _ in trains], dtype=np.int64), sizes)
    time = np.concatenate([nothing, *(train.times for _, _, train in trains)])
    sender = np.concatenate([nothing.astype(np.int64), *(train.senders for _, _, train in trains)])
    order = np.lexsort((sender, code, time, sample))
    table = pd.DataFrame({
        "time": time[order],
        "population": pd.Categorical.from_codes(code[order], categories=names),
        "sender": sender[order],
    })  # fmt: skip
    if isinstance(result, Results):
        table.insert(0, "sample", sample[order])
    return table
