"""Where the files are that come with the package."""

from __future__ import annotations

from pathlib import Path

from eventsim.errors import FileError

__all__ = ["data_path"]

_PACKAGE = Path(__file__).resolve().parent

#: An installed package holds the demo's data itself; a source tree has them in data/.
_FOLDERS = (_PACKAGE / "_data", _PACKAGE.parent / "data")


def data_path(name: str) -> Path:
    """Path of a data file that comes with the package.

    Parameters
    ----------
    name
        File name, such as ``"hidden.h5"``.

    Returns
    -------
    Path
        An existing file.

    Raises
    ------
    FileError
        When the file is in none of the places, which it names.

    Examples
    --------
    >>> data_path("no-such-network.h5")
    Traceback (most recent call last):
        ...
    eventsim.errors.FileError: data: no-such-network.h5: expected a file in one of ...
    """
    tried = [folder / name for folder in _FOLDERS]
    for path in tried:
        if path.is_file():
            return path
    places = ", ".join(str(path.parent) for path in tried)
    raise FileError(f"data: {name}: expected a file in one of {places}, got none")
