"""Finished parts of a long job in a folder, so that a job that was stopped can go on.

Each part is a JSON file, written under a temporary name and renamed when it is complete: whatever
stops the job leaves whole parts behind. The folder also says what job it belongs to, and refuses
the parts of another one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eventsim.errors import FileError
from eventsim.save.files import new_file

__all__ = ["Parts"]

JOB = "job.json"


class Parts:
    """The parts of one job.

    Parameters
    ----------
    folder : str or Path or None
        Where they are kept; it is made when there is none. None: nowhere, nothing is kept.
    job : mapping
        All that decides the result of the job, of plain types.

    Raises
    ------
    FileError
        The folder cannot be made or written, or holds the parts of another job.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     parts = Parts(folder, {"seed": 0})
    ...     before = parts.get("first")
    ...     parts.put("first", {"sum": 3})
    ...     before, Parts(folder, {"seed": 0}).get("first")
    (None, {'sum': 3})
    """

    def __init__(self, folder: str | os.PathLike[str] | None, job: Mapping[str, Any]) -> None:
        self.folder = None if folder is None else Path(folder)
        if self.folder is None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"{folder}: folder: expected to make it, got: {error}") from error
        wanted = json.loads(json.dumps(job))
        found = self._read(JOB)
        if found is None:
            # A job that was killed may have left a temporary file; their names begin with a dot.
            if any(not path.name.startswith(".") for path in self.folder.iterdir()):
                raise FileError(
                    f"{folder}: folder: expected an empty one, or the parts of this job, "
                    "got other files"
                )
            self._write(JOB, wanted)
        elif found != wanted:
            keys = sorted(k for k in wanted.keys() | found.keys() if wanted.get(k) != found.get(k))
            raise FileError(
                f"{folder}: folder: expected the parts of this job, got those of one with another "
                f"{', '.join(keys)} (choose another folder)"
            )

    def get(self, name: str) -> dict[str, Any] | None:
        """A part, or None when it is not finished."""
        return None if self.folder is None else self._read(f"{name}.json")

    def put(self, name: str, part: Mapping[str, Any]) -> None:
        """Keep a finished part."""
        if self.folder is not None:
            self._write(f"{name}.json", part)

    def _read(self, name: str) -> dict[str, Any] | None:
        assert self.folder is not None
        path = self.folder / name
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise FileError(f"{path}: file: expected a finished part, got: {error}") from error
        if not isinstance(found, dict):
            raise FileError(f"{path}: file: expected a finished part, got another kind of JSON")
        return found

    def _write(self, name: str, values: Mapping[str, Any]) -> None:
        assert self.folder is not None
        with new_file(self.folder / name, overwrite=True) as temporary:
            temporary.write_text(json.dumps(values, allow_nan=False) + "\n", encoding="utf-8")
