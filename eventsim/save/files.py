"""Writing whole files: under a temporary name, renamed when complete.

A reader never sees half a file, a failed write leaves nothing behind, and an existing file is
only replaced when the caller says so.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eventsim.errors import FileError, InvalidType

__all__ = ["check_new", "new_file"]


def check_new(path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Refuse an output path that cannot be written, before any work is done.

    Parameters
    ----------
    path : str or Path
        Where a file is to be written.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    Path
        The path; symbolic links are followed.

    Raises
    ------
    FileError
        The file exists already, is a folder, or its folder does not exist.

    Examples
    --------
    >>> check_new("no-such-folder/run.h5")
    Traceback (most recent call last):
        ...
    eventsim.errors.FileError: no-such-folder/run.h5: folder: expected an existing one, got none
    """
    if not isinstance(path, str | os.PathLike):
        raise InvalidType(f"output: path: expected a str or Path, got {type(path).__name__}")
    target = Path(os.path.realpath(path))
    if os.path.isdir(target):
        raise FileError(f"{path}: output: expected the name of a file, got a folder")
    if os.path.lexists(target) and not overwrite:
        raise FileError(
            f"{path}: output: expected a new file, got an existing one (overwrite=True replaces it)"
        )
    if not os.path.isdir(target.parent):
        raise FileError(f"{path}: folder: expected an existing one, got none")
    return target


@contextmanager
def new_file(path: str | os.PathLike[str], overwrite: bool = False) -> Iterator[Path]:
    """A temporary file in the folder of ``path``, renamed to it when the block succeeds.

    Parameters
    ----------
    path : str or Path
        Where the file is to be in the end.
    overwrite : bool
        Whether an existing file may be replaced.

    Yields
    ------
    Path
        An empty file to write. When the block raises, it is removed and ``path`` is untouched.

    Raises
    ------
    FileError
        As :func:`check_new`, or the system refused to write.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with new_file(f"{folder}/note.txt") as temporary:
    ...         _ = temporary.write_text("done")
    ...     [p.name for p in Path(folder).iterdir()]
    ['note.txt']
    """
    target = check_new(path, overwrite)
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        try:
            temporary.open("xb").close()
            yield temporary
            # Another process may have made the file meanwhile.
            check_new(path, overwrite)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(f"{path}: output: expected to write it, got: {error}") from error
