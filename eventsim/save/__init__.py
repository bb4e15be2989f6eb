"""Writing networks and results to files.

One module per format: :mod:`~eventsim.save.native` and :mod:`~eventsim.save.nir` (networks),
:mod:`~eventsim.save.sonata`, :mod:`~eventsim.save.npz` and :mod:`~eventsim.save.nirdata`
(results), :mod:`~eventsim.save.growing` (results as they come);
:mod:`~eventsim.save.table` makes tables of spikes. Every file is written whole or not
at all (:mod:`~eventsim.save.files`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from eventsim import checks
from eventsim.discretization import Discretization
from eventsim.errors import InvalidType
from eventsim.network import Network
from eventsim.recording import Result, Results
from eventsim.save.growing import save_growing
from eventsim.save.native import save_network
from eventsim.save.npz import save_npz
from eventsim.save.sonata import save_hdf5
from eventsim.save.table import to_pandas

__all__ = ["save", "save_result", "to_pandas"]


def save(
    path: str | os.PathLike[str],
    net: Network,
    disc: Discretization | None = None,
    provenance: Mapping[str, Any] | None = None,
    *,
    overwrite: bool = False,
) -> Path:
    """Write a network to a file that :func:`eventsim.load` reads back.

    Parameters
    ----------
    path : str or Path
        A name that ends in ``.nir`` gives a NIR file (:func:`eventsim.save_nir`, which has more
        options), any other eventsim's own file, which holds everything.
    net : Network
        What to write.
    disc : Discretization or None
        How the discrete model behind it was stepped. NIR cannot hold it.
    provenance : mapping or None
        Where it comes from, as JSON types. NIR cannot hold it.
    overwrite : bool
        Whether an existing file may be replaced. Default False.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileError
        The file exists or cannot be written.
    InvalidType, InvalidValue, UnsupportedNetwork
        An argument does not fit, or the format cannot hold it.

    Examples
    --------
    >>> import tempfile
    >>> from eventsim import Input, load
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save(f"{folder}/net.h5", Network([Input("a", 2)]))
    ...     load(path)
    (Network(a[2]; 2 units, 0 synapses), None)
    """
    if isinstance(path, str | os.PathLike) and os.fspath(path).lower().endswith(".nir"):
        for field, value in (("disc", disc), ("provenance", provenance)):
            if value is not None:
                raise checks.fail("save", field, "None, as NIR cannot hold it", repr(value))
        from eventsim.save.nir import save_nir  # NIR is loaded by those who write it

        return save_nir(path, net, overwrite=overwrite)
    return save_network(path, net, disc, provenance, overwrite=overwrite)


def save_result(
    result: Result | Results | Iterable[Result],
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
) -> Path:
    """Write what a run gave to a file that :func:`eventsim.load_result` reads back.

    Parameters
    ----------
    result : Result, Results or iterable of Result
        One run, or a batch. Of an iterable, such as :func:`eventsim.simulate_stream` gives, each
        result is written as it comes, so that memory does not grow with their number.
    path : str or Path
        A name that ends in ``.npz`` gives a NumPy archive, which an iterable cannot, any other an
        HDF5 file; that of one run is valid SONATA.
    overwrite : bool
        Whether an existing file may be replaced. Default False.

    Returns
    -------
    Path
        The file. It appears when it is complete.

    Raises
    ------
    FileError
        The file exists or cannot be written.
    InvalidType, InvalidValue
        ``result`` is no result, a batch of different networks or records, or an iterable of none.
    KeyboardInterrupt
        After Ctrl-C on an iterable; the results that came before it are in the file.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from eventsim import Input, Network, SpikeTrain, load_result
    >>> run = Result(Network([Input("in", 2)]), {"in": SpikeTrain([1e-3], [1])},
    ...              {"in": np.array([0, 1])}, t_start=0.0, t_stop=4e-3, t_reached=4e-3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load_result(save_result(run, f"{folder}/run.h5"))
    Result(0 to 0.004 s; spikes in: 1; 0 synaptic events)
    """
    if not isinstance(path, str | os.PathLike):
        raise InvalidType(f"save_result: path: expected a str or Path, got {type(path).__name__}")
    npz = os.fspath(path).lower().endswith(".npz")
    if isinstance(result, Iterable) and not isinstance(result, Results):
        if npz:
            raise checks.fail("save_result", "path", "HDF5 for results one by one", f"{path}")
        return save_growing(result, path, overwrite=overwrite)
    if npz:
        return save_npz(result, path, overwrite=overwrite)
    return save_hdf5(result, path, overwrite=overwrite)
