"""Results as one npz file, for those who have NumPy alone.

The arrays of :mod:`eventsim.save.record` by their names; ``network`` holds the bytes of the
network in eventsim's own HDF5 format. Nothing is pickled.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from eventsim.recording import Result, Results
from eventsim.save.files import new_file
from eventsim.save.native import write_network
from eventsim.save.record import common_network, samples_of, to_arrays

__all__ = ["save_npz"]


def save_npz(
    result: Result | Results, path: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write a result, or a batch, to npz, for :func:`eventsim.save.save_result`."""
    arrays: dict[str, Any] = dict(to_arrays(result))
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        write_network(file, common_network(samples_of(result)))
    arrays["network"] = np.frombuffer(memory.getvalue(), dtype=np.uint8)
    with new_file(path, overwrite) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
    return Path(path)
