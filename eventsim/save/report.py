"""What every report can do with its numbers: write them as JSON."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from eventsim.save.files import new_file

__all__ = ["JsonReport"]


class JsonReport(ABC):
    """A report whose :meth:`to_dict` holds all of its numbers."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Plain types only, as for JSON. Undefined numbers are None, never NaN."""

    def to_json(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write :meth:`to_dict` as JSON.

        Parameters
        ----------
        path : str or Path
            Output file.
        overwrite : bool
            Whether an existing file may be replaced. Default False.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        FileError
            The file exists (unless ``overwrite``), or cannot be written.
        """
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False)
        with new_file(path, overwrite) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
        return Path(path)
