"""Files of what frameworks did, for tests that run without them.

A file is an npz: ``about`` is a text of JSON, in which ``{"array": name}`` stands for an array
of the file. It says the framework, its version, the script that wrote the file, and ``cases``:

- ``name``, ``dtype``, and ``x``, the input [sample, step, n] of the first layer;
- ``layers``, each with ``rule`` (``"snntorch.leaky"``: a function of
  :mod:`eventsim.discrete.frameworks`) and its ``arguments``, the framework's ``weight``
  [target, source] (none: x is the charge) and ``bias``, its ``recurrent`` weights and
  ``recurrent_bias``, and the ``spikes`` and membranes ``v`` [sample, step, n] that came out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent

#: What every layer of a case has.
LAYER = ("rule", "arguments", "weight", "bias", "recurrent", "recurrent_bias", "spikes", "v")


def write(path: Path, about: dict[str, Any]) -> None:
    """Write a file; arrays anywhere inside ``about`` become arrays of the file."""
    arrays: dict[str, Any] = {}

    def packed(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            name = f"array{len(arrays)}"
            arrays[name] = value
            return {"array": name}
        if isinstance(value, dict):
            return {key: packed(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [packed(inner) for inner in value]
        return value

    text = json.dumps(packed(about))
    np.savez_compressed(path, about=np.array(text), **arrays)


def read(path: Path) -> dict[str, Any]:
    """The contents of a file."""
    with np.load(path) as file:

        def unpacked(value: Any) -> Any:
            if isinstance(value, dict):
                if set(value) == {"array"}:
                    return file[value["array"]]
                return {key: unpacked(inner) for key, inner in value.items()}
            return [unpacked(inner) for inner in value] if isinstance(value, list) else value

        contents: dict[str, Any] = unpacked(json.loads(str(file["about"])))
    return contents


def same(a: Any, b: Any) -> bool:
    """Whether two contents are equal, arrays and their types included."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return (
            isinstance(a, np.ndarray)
            and isinstance(b, np.ndarray)
            and a.dtype == b.dtype
            and np.array_equal(a, b)
        )
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)
