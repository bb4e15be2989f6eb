"""Policy files: a network file that also holds the code, the votes and the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py

from eventsim.errors import EventsimError, FileError, InvalidType
from eventsim.gym.coding import PopulationCode, Votes
from eventsim.gym.policy import SpikingPolicy
from eventsim.load import hdf5
from eventsim.load.native import read_network
from eventsim.save.files import new_file
from eventsim.save.native import json_text, write_network

__all__ = ["load_policy", "save_policy"]

_WHAT = "a policy file"


def save_policy(
    path: str | os.PathLike[str],
    policy: SpikingPolicy,
    provenance: Mapping[str, Any] | None = None,
    *,
    overwrite: bool = False,
) -> Path:
    """Write a policy to a file that :func:`load_policy` reads back.

    It is a network file (:func:`eventsim.load` reads its network) with one text more, ``policy``:
    a JSON object with ``code``, ``votes``, ``spread``, ``jitter`` and ``environment``. Backend
    and seed are no part of it.

    Parameters
    ----------
    path : str or Path
        The file to write, usually with suffix ``.h5``.
    policy : SpikingPolicy
        What to write.
    provenance : mapping or None
        Where it comes from, of JSON types.
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
    InvalidType
        An argument is of the wrong type, or ``provenance`` is not JSON.

    Examples
    --------
    >>> import tempfile
    >>> from eventsim import Dense, Discretization, Input, Network, Population
    >>> net = Network([Input("in", 2), Population("out", 2, tau_mem=4e-3, t_ref=1e-3)],
    ...               [Dense("in", "out", [[2, 0], [0, 2]], spread=1e-3)])
    >>> policy = SpikingPolicy(
    ...     net, Discretization(dt=1e-3, steps=4), PopulationCode([-1], [1], 2), Votes(2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load_policy(save_policy(f"{folder}/policy.h5", policy))
    SpikingPolicy(in 2 -> out 2; coarse, 4 steps an action)
    """
    if not isinstance(policy, SpikingPolicy):
        raise InvalidType(
            f"save_policy: policy: expected a SpikingPolicy, got {type(policy).__name__}"
        )
    text = {
        "code": policy.code.to_dict(),
        "votes": policy.votes.to_dict(),
        "spread": policy.spread,
        "jitter": policy.jitter,
        "environment": policy.environment,
    }
    with new_file(path, overwrite) as temporary:
        with h5py.File(temporary, "w") as file:
            write_network(file, policy.net, policy.disc, provenance)
            file["policy"] = json_text("policy", text)
        hdf5.seal(temporary)
    return Path(path)


def load_policy(path: str | os.PathLike[str], **changes: Any) -> SpikingPolicy:
    """Read a policy.

    Parameters
    ----------
    path : str or Path
        A file written by :func:`save_policy`.
    **changes
        Arguments of :class:`SpikingPolicy` beside those in the file, such as ``backend``,
        ``spread`` or ``seed``.

    Returns
    -------
    SpikingPolicy

    Raises
    ------
    FileError
        The file is missing, damaged, or holds no policy; the message names the file and the field.
    InvalidValue, InvalidType
        An argument is unknown or does not fit.

    Examples
    --------
    >>> from eventsim.resources import data_path
    >>> load_policy(data_path("cartpole.h5"), backend="continuous")
    SpikingPolicy(observation 32 -> hidden 32 -> action 16; continuous, 4 steps an action)
    """
    with hdf5.opened(path, _WHAT) as file:
        net, disc = read_network(file)
        if disc is None or "policy" not in file:
            raise FileError(f"{path}: policy: expected {_WHAT}, got a network without a policy")
        text = hdf5.text(file, "policy")
    try:
        values = json.loads(text)
        policy = SpikingPolicy(
            net,
            disc,
            PopulationCode(**values["code"]),
            Votes(**values["votes"]),
            spread=values["spread"],
            jitter=values["jitter"],
            environment=values["environment"],
        )
    except (KeyError, TypeError, ValueError) as error:
        kind = "" if isinstance(error, EventsimError) else f"{type(error).__name__}: "
        raise FileError(f"{path}: policy: expected code and votes, got {kind}{error}") from error
    return policy.replace(**changes) if changes else policy
