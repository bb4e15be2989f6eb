"""The only import of numba: how kernels are compiled, and where the machine code is kept.

Kernels are compiled with ``cache=True`` and ``nogil=True``, and never with fastmath, which would
allow the compiler to reorder sums. Numba's disk cache looks only at the file of the kernel itself,
so it would go stale when a function that the kernel calls, in another file, changes. The cache
folder is therefore named by a hash of all sources whose functions a kernel in another file may
call, and of the versions of Python, numpy and numba.

The folder lies in ``$NUMBA_CACHE_DIR`` when that is set, else in ``$XDG_CACHE_HOME/eventsim``, else
in ``~/.cache/eventsim``. Where that cannot be written it is a temporary folder of this process. It
holds for eventsim's kernels alone: the caller's own numba functions stay where they were.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numba
from numba.core import event, registry

__all__ = [
    "CompileWatch",
    "cache_folder",
    "inlined",
    "inner",
    "load_compiler",
    "maker",
    "njit",
    "pending_compilation",
]

#: Sources above the engines. No kernel of another file calls a function of theirs, so that they
#: can change without the engines being compiled again.
TOP_LAYERS = (
    "__init__", "__main__", "cli", "decode", "encode", "fidelity", "gym", "load", "plot", "report",
    "save",
)  # fmt: skip

#: So many cache folders of other versions are kept beside the current one.
KEPT_FOLDERS = 8


def _cache_key() -> str:
    """Hash of what compiled kernels depend on, as 16 hexadecimal digits."""
    root = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    for name in (platform.python_version(), version("numpy"), version("numba")):
        digest.update(name.encode() + b"\0")
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if Path(relative.parts[0]).stem not in TOP_LAYERS:
            digest.update(relative.as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _bases() -> list[Path]:
    """Places for cache folders, the preferred one first."""
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return [Path(chosen)]
    bases = []
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        bases.append(Path(xdg) / "eventsim")
    try:
        bases.append(Path.home() / ".cache" / "eventsim")
    except RuntimeError:  # no home folder is known
        pass
    return bases


def _writable(folder: Path) -> bool:
    """Create the folder; False when it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _remove_old(folder: Path) -> None:
    """Keep the most recently used cache folders beside `folder` and remove the others."""
    try:
        os.utime(folder)
        siblings = [path for path in folder.parent.glob("kernels-*") if path != folder]
        siblings.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:  # another process is removing them now
        return
    for path in siblings[KEPT_FOLDERS:]:
        shutil.rmtree(path, ignore_errors=True)


def _choose_folder() -> Path:
    name = f"kernels-{_cache_key()}"
    for base in _bases():
        folder = base / name
        if _writable(folder):
            _remove_old(folder)
            return folder
    # A new folder with a name of its own: a known one could hold code that another user put there.
    return Path(tempfile.mkdtemp(prefix="eventsim-"))


_FOLDER = _choose_folder()


def cache_folder() -> Path:
    """Folder in which compiled kernels are kept.

    Returns
    -------
    Path
        A folder whose name holds the hash of the sources.

    Examples
    --------
    >>> cache_folder().name.startswith(("kernels-", "eventsim-"))
    True
    """
    return _FOLDER


def pending_compilation() -> bool:
    """Whether nothing is in the cache yet, so that the first simulation has to compile.

    Returns
    -------
    bool
        True when no compiled kernel is on disk.
    """
    return next(_FOLDER.rglob("*.nbi"), None) is None


def njit(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile a kernel in nopython mode, with the package's cache policy.

    Parameters
    ----------
    function
        The kernel. Left out when options are given, as in ``@njit(inline="always")``.
    **options
        Options of `numba.njit`. ``fastmath`` and ``parallel`` are refused: both reorder sums.

    Returns
    -------
    callable
        The compiled kernel, or a decorator.

    Examples
    --------
    >>> @njit
    ... def double(x):
    ...     return 2 * x
    >>> double(21)
    42
    """
    if function is None:
        return lambda kernel: njit(kernel, **options)
    if options.keys() & {"fastmath", "parallel"}:
        raise ValueError(
            f"njit: options: expected none of fastmath, parallel, got {sorted(options)}"
        )
    # What is not said here would be taken from whatever kernel calls this one first.
    settings = {"cache": True, "nogil": True, "_nrt": True, **options}
    # Numba reads the folder while it decorates. Setting it only here, and not in the environment,
    # keeps it from reaching other packages and child processes with other sources.
    previous = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(_FOLDER)
    try:
        return numba.njit(**settings)(function)
    except RuntimeError as error:
        # A function without a source file, as in doctests or an interactive shell.
        if "no locator available" not in str(error):
            raise
        return numba.njit(**{**settings, "cache": False})(function)
    finally:
        numba.config.CACHE_DIR = previous


def inner(function: Callable[..., Any]) -> Any:
    """Compile a function that only kernels call, and that neither makes nor returns arrays.

    It has no entry from Python, which is slow to compile, and does not count references to its
    arrays, which its caller holds: in small functions that count costs more than the work.
    """
    return njit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)


def inlined(function: Callable[..., Any]) -> Any:
    """As :func:`inner`, and copied into its callers: for short loops inside of long ones.

    An array is passed as seven words, so a call with some arrays costs tens of nanoseconds.
    """
    options = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False}
    return njit(function, inline="always", **options)


def maker(function: Callable[..., Any]) -> Any:
    """Compile a function that only kernels call, and that makes or returns arrays."""
    return njit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def load_compiler() -> None:
    """Load what numba loads with its first kernel, but for SciPy's linear algebra.

    Numba asks whether that can be imported, which takes 0.2 s, to choose how it would compile
    ``numpy.convolve`` and ``numpy.correlate``; no kernel here calls them. While it asks, the answer
    is no. For programs of eventsim's own: a library leaves this choice to its caller.
    """
    name = "scipy.linalg"
    if name in sys.modules:
        return
    sys.modules[name] = None  # type: ignore[assignment]  # Python's own way to say "absent"
    try:
        registry.cpu_target.typing_context.refresh()
        registry.cpu_target.target_context.refresh()
    finally:
        del sys.modules[name]


class CompileWatch(event.Listener):
    """Context that notices compilation: says so once, and adds up its seconds.

    Loading a kernel from the disk cache is not compilation and is not announced.

    Parameters
    ----------
    announce
        Called without arguments when the first kernel begins to compile.

    Attributes
    ----------
    seconds : float
        Time spent compiling so far, to be left out of rates and estimates.

    Examples
    --------
    >>> said = []
    >>> with CompileWatch(lambda: said.append("compiling once")) as watch:
    ...     @njit
    ...     def triple(x):
    ...         return 3 * x
    ...     _ = triple(1), triple(2)
    >>> said, watch.seconds > 0
    (['compiling once'], True)
    """

    def __init__(self, announce: Callable[[], None] | None = None) -> None:
        self.seconds = 0.0
        self._announce = announce
        self._depth = 0
        self._began = 0.0

    def __enter__(self) -> CompileWatch:
        event.register("numba:compile", self)
        return self

    def __exit__(self, *exception: object) -> None:
        event.unregister("numba:compile", self)

    def on_start(self, event: Any) -> None:
        """Called by numba when a kernel begins to compile, also for the kernels it calls."""
        if self._announce is not None:
            self._announce()
            self._announce = None
        if self._depth == 0:
            self._began = time.perf_counter()
        self._depth += 1

    def on_end(self, event: Any) -> None:
        """Called by numba when a kernel is compiled."""
        self._depth -= 1
        if self._depth == 0:
            self.seconds += time.perf_counter() - self._began
