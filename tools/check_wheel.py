"""Check what a built wheel holds: the package, the demo's data, and nothing else.

Usage: ``python tools/check_wheel.py dist/eventsim-0.1.0-py3-none-any.whl``
"""

from __future__ import annotations

import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

from hatch_build import DEMO_DATA

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "eventsim"
SUFFIXES = {".py", ".typed", ".html", ".css", ".js"}
LARGEST_MEGABYTES = 5


def content_faults(names: set[str], info: str) -> list[str]:
    """What is missing in the wheel, and what should not be there."""
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.suffix in SUFFIXES and "_data" not in path.parts
    }
    data = {f"eventsim/_data/{name}" for name in DEMO_DATA}
    records = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    expected = sources | data | {f"{info}/{record}" for record in records}
    faults = [f"missing: {name}" for name in sorted(expected - names)]
    return faults + [f"not expected: {name}" for name in sorted(names - expected)]


def metadata_faults(metadata: Message) -> list[str]:
    """What is wrong with name, license and required packages."""
    faults = []
    if (metadata["Name"], metadata["License-Expression"]) != ("eventsim", "MIT"):
        faults.append(f"name and license: {metadata['Name']}, {metadata['License-Expression']}")
    for requirement in metadata.get_all("Requires-Dist", []):
        optional = "extra ==" in requirement
        if requirement.startswith("torch") and not optional:
            faults.append(f"the base install requires {requirement}")
    return faults


def main(path: Path) -> int:
    with zipfile.ZipFile(path) as wheel:
        names = {name for name in wheel.namelist() if not name.endswith("/")}
        info = next(name.split("/")[0] for name in names if name.endswith(".dist-info/METADATA"))
        faults = content_faults(names, info)
        metadata = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
        faults += metadata_faults(metadata)
        script = wheel.read(f"{info}/entry_points.txt").decode()
        if "eventsim = eventsim.cli:main" not in script:
            faults.append(f"entry points: {script!r}")
    megabytes = path.stat().st_size / 1e6
    if megabytes > LARGEST_MEGABYTES:
        faults.append(f"size: expected at most {LARGEST_MEGABYTES} MB, got {megabytes:.1f} MB")
    for fault in faults:
        print(f"{path.name}: {fault}", file=sys.stderr)
    if not faults:
        print(f"{path.name}: {len(names)} files, {megabytes:.1f} MB, as expected")
    return int(bool(faults))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tools/check_wheel.py WHEEL")
    sys.exit(main(Path(sys.argv[1])))
