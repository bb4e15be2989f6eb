"""The first test images of a dataset as a small file: ``python -m models.subset --out FILE``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import numpy as np

from eventsim.errors import InvalidValue
from models import datasets, export
from models.train import guarded

__all__ = ["main", "write"]


@click.command("subset", context_settings={"show_default": True})
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File (.npz).")
@click.option("--dataset", type=click.Choice(datasets.NAMES), default="fashion-mnist")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder with the idx files.")
@click.option("--count", type=int, default=500, help="Number of images.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def main(out: Path, dataset: str, data_dir: Path | None, count: int, overwrite: bool) -> None:
    """Write the first COUNT test images, uint8 [sample, y, x], and their labels, uint8."""
    export.check_target(out, overwrite)
    write(out, datasets.load(dataset, data_dir), count)
    click.echo(f"wrote {out}")


def write(path: Path, dataset: datasets.Dataset, count: int) -> None:
    """Write arrays ``images`` and ``labels``; the same data give the same bytes."""
    n = len(dataset.test_labels)
    if not 1 <= count <= n:
        raise InvalidValue(f"subset: count: expected an int from 1 to {n}, got {count}")
    images = np.rint(dataset.test_images[:count, 0] * 255).astype(np.uint8)
    labels = dataset.test_labels[:count].astype(np.uint8)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            np.savez_compressed(file, images=images, labels=labels)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(guarded(main))
