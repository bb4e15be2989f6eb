"""The house rules that can be read off the sources: who imports whom, and what nobody does.

A module may import modules of its own layer and of the layers below, when it is loaded. A method
that is only a convenience, such as ``Result.save``, may reach upwards from inside its body; these
are listed here by name.
"""

from __future__ import annotations

import ast
import graphlib
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from eventsim import jit

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "eventsim"

#: Modules and subpackages, from the lowest layer to the highest.
LAYERS = (
    ("errors", "jit", "vectors"),
    ("checks", "current_steps", "generators", "resources", "workers"),
    ("populations", "projections", "convolution", "pooling", "random_links", "network"),
    ("step_rule", "recording"),
    ("discretization",),
    ("inputs", "provenance"),
    ("dynamics", "trace"),
    ("engine",),
    ("runs", "simulate", "stream", "session", "discrete"),
    ("encode", "decode", "load", "save"),
    ("analog",),
    ("fidelity",),
    ("gym",),
    ("plot", "report", "fidelity.report"),
    ("cli", "__main__"),
)

#: Methods and functions that reach upwards from inside their body: (from, to).
CONVENIENCES = {
    ("network", "session"),  # Network.session
    ("discretization", "discrete"),  # Discretization.run
    ("recording", "save"),  # Result.save
    ("fidelity", "report"),  # FidelityReport.to_html
}

#: Where a package may be imported; None: anywhere, but only inside functions.
HOMES = {
    "numba": ("jit", "vectors"),
    "llvmlite": ("vectors",),
    "matplotlib": ("plot", "report", "fidelity.report"),
    "torch": ("load.torch", "load.modules"),
    "click": ("cli",),
    "rich": ("cli",),
}
FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
NEIGHBOURS = {"benchmarks", "browser_tests", "models", "tests", "validation"}
LONGEST = 400


@dataclass(frozen=True)
class Import:
    """One imported module, as seen from the module that imports it."""

    target: str
    line: int
    deferred: bool


def modules() -> dict[str, str]:
    """Module name without ``eventsim.`` -> source; the package's own __init__ is left out."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        if parts:
            found[".".join(parts)] = path.read_text(encoding="utf-8")
    return found


def imports(source: str) -> Iterator[Import]:
    """Imports of a module; those for type checkers only are left out."""

    def visit(node: ast.AST, deferred: bool) -> Iterator[Import]:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            return
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, deferred)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            assert node.module is not None
            for alias in node.names:
                yield Import(f"{node.module}.{alias.name}", node.lineno, deferred)
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, deferred or inside)

    yield from visit(ast.parse(source), False)


def layer(module: str) -> int:
    """Number of the layer that a module, or the longest named part of it, belongs to."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        for number, names in enumerate(LAYERS):
            if ".".join(parts[:length]) in names:
                return number
    raise AssertionError(f"eventsim.{module}: give it a layer in {Path(__file__).name}")


def resolve(target: str, known: set[str]) -> str | None:
    """Module of the package that an import means; None for other packages."""
    package, _, rest = target.partition(".")
    if package != "eventsim" or rest in ("", "__version__"):
        return None
    while rest and rest not in known:
        rest = rest.rpartition(".")[0]
    return rest or target


def direction_faults(name: str, source: str, known: set[str]) -> list[str]:
    """Imports of the package's own modules that go upwards."""
    faults = []
    for found in imports(source):
        target = resolve(found.target, known)
        if target is None:
            continue
        if target.startswith("eventsim."):
            faults.append(f"{name}:{found.line}: import {target} from where it is defined")
        elif layer(target) > layer(name):
            pair = (name.split(".")[0], target.split(".")[0])
            if not (found.deferred and pair in CONVENIENCES):
                faults.append(f"{name}:{found.line}: imports {target}, of a higher layer")
    return faults


def core_packages() -> set[str]:
    """Names of the packages that the base install holds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {re.split(r"[^\w-]", item)[0].lower() for item in project["dependencies"]}


def package_faults(name: str, source: str) -> list[str]:
    """Imports of other packages in the wrong place."""
    faults = []
    for found in imports(source):
        package = found.target.split(".")[0]
        where = f"{name}:{found.line}: imports {package}"
        homes = HOMES.get(package)
        if package in FORBIDDEN:
            faults.append(f"{where}, which can run code from a file")
        elif package in NEIGHBOURS:
            faults.append(f"{where}, which is not part of the package")
        elif homes and not any(name == home or name.startswith(f"{home}.") for home in homes):
            faults.append(f"{where}, allowed only in {', '.join(homes)}")
        elif package not in core_packages() | sys.stdlib_module_names | {"eventsim"}:
            if not found.deferred:
                faults.append(f"{where}, which is optional: import it inside a function")
    return faults


def call_faults(name: str, source: str) -> list[str]:
    """Calls that the library never makes."""
    faults = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        function = ast.unparse(node.func)
        options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if function == "print":
            faults.append(f"{name}:{node.lineno}: prints")
        if options.get("allow_pickle", "False") != "False":
            faults.append(f"{name}:{node.lineno}: allow_pickle")
        if function == "torch.load" and options.get("weights_only") != "True":
            faults.append(f"{name}:{node.lineno}: torch.load without weights_only=True")
    return faults


MODULES = modules()


@pytest.mark.parametrize("name", MODULES)
def test_house_rules(name):
    source = MODULES[name]
    faults = direction_faults(name, source, set(MODULES))
    faults += package_faults(name, source)
    faults += call_faults(name, source)
    assert not faults, "\n".join(faults)
    assert len(source.splitlines()) <= LONGEST


def test_no_module_imports_itself_in_a_circle():
    graph = {
        name: {
            target
            for found in imports(source)
            if not found.deferred and (target := resolve(found.target, set(MODULES))) in MODULES
        }
        - {name}
        for name, source in MODULES.items()
    }
    list(graphlib.TopologicalSorter(graph).static_order())


def test_conveniences_are_still_in_use():
    used = {
        (name.split(".")[0], target.split(".")[0])
        for name, source in MODULES.items()
        for found in imports(source)
        if (target := resolve(found.target, set(MODULES))) in MODULES
    }
    assert used >= CONVENIENCES


def test_kernels_call_none_of_the_sources_left_out_of_the_cache_key():
    makers = {f"eventsim.jit.{name}" for name in ("inner", "maker", "njit")}
    holders = {
        name
        for name, source in MODULES.items()
        if any(found.target in makers for found in imports(source))
    }
    left_out = {name for name in MODULES if name.split(".")[0] in jit.TOP_LAYERS}
    assert holders - left_out
    for name in holders:
        targets = {resolve(found.target, set(MODULES)) for found in imports(MODULES[name])}
        assert not targets & left_out & holders - {name}, name
        assert name in left_out or not targets & left_out, name


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("from eventsim.engine.queue import run", "higher layer"),
        ("def f():\n    from eventsim import plot", "higher layer"),
        ("from eventsim import Network", "where it is defined"),
        ("import numba", "allowed only in jit"),
        ("def f():\n    import matplotlib.pyplot", "allowed only in plot"),
        ("import pandas", "inside a function"),
        ("import models.train", "not part of the package"),
        ("def f():\n    import pickle", "run code"),
        ("print(1)", "prints"),
        ("np.load(path, allow_pickle=True)", "allow_pickle"),
        ("torch.load(path)", "weights_only"),
    ],
)
def test_the_rules_find_what_they_forbid(source, fault):
    known = {"engine.queue", "plot", "network"}
    faults = direction_faults("network", source, known)
    faults += package_faults("network", source) + call_faults("network", source)
    assert len(faults) == 1
    assert fault in faults[0]


def test_allowed_imports_pass():
    source = (
        "import numpy as np\n"
        "from eventsim.errors import InvalidValue\n"
        "from eventsim import __version__\n"
        "if TYPE_CHECKING:\n    from eventsim.plot import raster\n"
        "def f():\n    import pandas\n    from eventsim.session import Session\n"
    )
    known = {"errors", "plot", "session", "network"}
    assert direction_faults("network", source, known) == []
    assert package_faults("network", source) == []
