"""The coarse cell, the reference networks, their training, and the trained data."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import math
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

import eventsim as es
from eventsim.discrete import theory
from eventsim.errors import FileError, InvalidValue
from eventsim.load.native import read_provenance
from models import coding, datasets, export, networks, subset, train, training
from models.cell import VARIANTS, CoarseLIF, coefficients, fire
from models.training import Settings, Trainer

DATA = Path(__file__).resolve().parent.parent / "data"
#: Networks for images; the others there are policies.
TRAINED = [path for path in sorted(DATA.glob("*.h5")) if "coarse_accuracy" in read_provenance(path)]
TINY = Settings(
    "hidden", dataset="digits", hidden=32, epochs=3, lr=0.02, limit=600, encoder="bernoulli"
)


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


# -- the cell ------------------------------------------------------------------------------


def by_formula(variant, x, tau, v0):
    """The rules written out neuron by neuron in plain Python."""
    a = math.exp(-1 / tau)
    b = tau * (1 - a)
    c = tau * (1 - b)
    v = s = 0.0
    spikes, potentials = [], []
    for drive in x:
        v = {
            "coarse": (1 - s) * (a * v + b * drive) + s * c * drive,
            "coarse_drop": (1 - s) * (a * v + b * drive),
            "constant_potential": (1 - s) * (a * v + b / c * drive) + s * drive,
            "lif": (1 - s) * a * v + b * drive,
            "if": (1 - s) * v + drive,
            "mcculloch_pitts": drive,
        }[variant]
        s = 1.0 if v > v0 else 0.0
        spikes.append(s)
        potentials.append(v)
    return spikes, potentials


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_cell_is_the_formula(variant, dtype):
    x = np.random.default_rng(1).normal(0.5, 1.0, (30, 20))
    cell = CoarseLIF(3.0, 0.8, variant)
    state = None
    spikes, potentials = [], []
    for drive in torch.from_numpy(x).to(dtype):
        s, state = cell(drive, state)
        spikes.append(s)
        potentials.append(state[0])
    assert spikes[0].dtype == dtype
    expected = [by_formula(variant, column, 3.0, 0.8) for column in x.T]
    tolerance = 1e-12 if dtype == torch.float64 else 2e-5
    np.testing.assert_array_equal(torch.stack(spikes).T, [e[0] for e in expected])
    np.testing.assert_allclose(
        torch.stack(potentials).T, [e[1] for e in expected], rtol=0, atol=tolerance
    )


@pytest.mark.parametrize("tau", [0.3, 1.0, 4.0, 50.0, math.inf])
def test_coefficients_agree_with_eventsim(tau):
    np.testing.assert_allclose(coefficients(tau), [float(k) for k in theory.coefficients(tau)])


def test_no_spike_at_threshold():
    spikes, _ = CoarseLIF(4.0, 0.5, "mcculloch_pitts")(torch.tensor([0.5, 0.5000001]))
    assert spikes.tolist() == [0.0, 1.0]


def test_surrogate_gradient_is_that_of_the_sigmoid():
    x = torch.linspace(-2, 2, 41, dtype=torch.float64)
    hard, soft = x.clone().requires_grad_(), x.clone().requires_grad_()
    weight = torch.arange(41, dtype=torch.float64)
    (fire(hard, 5.0) * weight).sum().backward()
    (torch.sigmoid(5.0 * soft) * weight).sum().backward()
    torch.testing.assert_close(hard.grad, soft.grad)


def test_gradient_flows_through_the_reset():
    """d s2 / d x1 has a part through v and one through s, here evaluated by hand."""
    a, b, c = coefficients(4.0)
    x1 = torch.tensor([0.9], dtype=torch.float64, requires_grad=True)
    x2 = torch.tensor([0.8], dtype=torch.float64)
    cell = CoarseLIF(4.0)
    s1, state = cell(x1)
    s2, _ = cell(x2, state)
    s2.sum().backward()

    def slope(v):
        g = 1 / (1 + math.exp(-5 * (v - 1)))
        return 5 * g * (1 - g)

    v1 = b * 0.9
    v2 = a * v1 + b * 0.8
    through_reset = (c * 0.8 - v2) * slope(v1)
    assert s1.item() == 0
    assert x1.grad.item() == pytest.approx(slope(v2) * (a + through_reset) * b, rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"tau": 0.0}, "tau"),
        ({"tau": math.nan}, "tau"),
        ({"tau": 4.0, "v_threshold": -1.0}, "v_threshold"),
        ({"tau": 4.0, "beta": math.inf}, "beta"),
        ({"tau": 4.0, "variant": "coarser"}, "variant"),
    ],
)
def test_cell_refuses(arguments, field):
    with pytest.raises(InvalidValue, match=f"CoarseLIF: {field}: expected"):
        CoarseLIF(**arguments)


# -- coding --------------------------------------------------------------------------------


def test_bernoulli_rate_and_seed():
    images = torch.tensor([[0.0, 0.25, 1.0]]).repeat(4000, 1)
    spikes = coding.bernoulli(images, 4, 0.8, torch.Generator().manual_seed(3))
    assert spikes.shape == (4000, 4, 3)
    rates = spikes.mean(dim=(0, 1))
    assert rates[0] == 0
    assert rates[1:].tolist() == pytest.approx([0.2, 0.8], abs=0.015)
    again = coding.bernoulli(images, 4, 0.8, torch.Generator().manual_seed(3))
    assert torch.equal(spikes, again)
    assert coding.bernoulli(images, 4)[:, :, 2].min() == 1


def test_constant_repeats_the_scaled_image():
    assert coding.encode(torch.tensor([[0.5]]), 3, "constant", 2.0).tolist() == [[[1.0]] * 3]


def test_ties_go_to_the_lowest_class():
    spikes = torch.zeros(3, 2, 4)
    spikes[0, :, 2] = 1
    spikes[1, 0, 3] = spikes[1, 1, 1] = 1
    assert coding.classes(spikes).tolist() == [2, 1, 0]


def test_losses():
    spikes = torch.tensor([[[1.0, 0.0], [1.0, 1.0]]])
    labels = torch.tensor([0])
    expected = math.log(1 + math.exp(3.0 * (0 - 1)))
    assert coding.loss(spikes, labels, "cross-entropy", 3.0).item() == pytest.approx(expected)
    assert coding.loss(spikes, labels, "mse").item() == pytest.approx(0.5)
    assert coding.loss(spikes, labels, "mse", target=3).item() == pytest.approx(1.0)
    for call in (
        lambda: coding.loss(spikes, labels, "hinge"),
        lambda: coding.encode(spikes, 2, "latency"),
    ):
        with pytest.raises(InvalidValue, match="expected one of"):
            call()


# -- networks ------------------------------------------------------------------------------

SHAPES = {
    "shallow": {"out": (10,)},
    "hidden": {"hidden": (256,), "out": (10,)},
    "conv": {"conv1": (4, 14, 14), "out": (10,)},
    "conv2": {"conv1": (4, 14, 14), "conv2": (6, 10, 10), "out": (10,)},
    "lenet5": {
        "conv1": (6, 28, 28),
        "pool1": (6, 14, 14),
        "conv2": (16, 10, 10),
        "pool2": (16, 5, 5),
        "fc1": (120,),
        "fc2": (84,),
        "out": (10,),
    },
}
SHAPES["lenet5_const"] = {"image": (1, 28, 28), **SHAPES["lenet5"]}
BIASED = {"hidden", "conv1", "conv2"}


def strong(name, **options):
    """A network whose weights are large enough for spikes to reach every layer."""
    torch.manual_seed(5)
    net = networks.build(name, **options)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(4)
    return net


@pytest.mark.parametrize("name", networks.NAMES)
def test_shapes_of_each_network(name):
    net = strong(name)
    x = torch.rand(2, 3, 1, 28, 28).round()
    layers = net(x, layers=True)
    assert {k: tuple(v.shape[2:]) for k, v in layers.items()} == SHAPES[name]
    for spikes in layers.values():
        assert spikes.shape[:2] == (2, 3)
        assert set(spikes.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(net(x), layers["out"])
    assert torch.equal(net(x.flatten(2)), layers["out"])
    with_bias = {key.split(".")[0] for key in net.state_dict() if key.endswith("bias")}
    assert with_bias == BIASED & set(SHAPES[name])


def test_max_pool_is_an_or_over_the_step():
    layers = strong("lenet5")(torch.rand(2, 3, 784).round(), layers=True)
    windows = layers["conv1"].reshape(2, 3, 6, 14, 2, 14, 2)
    assert torch.equal(layers["pool1"], windows.amax(dim=(4, 6)))


@pytest.mark.parametrize("name", ["shallow", "hidden", "conv"])
def test_small_images(name):
    net = networks.build(name, input_shape=(1, 8, 8), classes=7)
    assert net(torch.ones(2, 4, 1, 8, 8)).shape == (2, 4, 7)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("conv2", "kernel of conv2 meets maps of only 4x4"),
        ("lenet5", "kernel of conv2 meets maps of only 4x4"),
        ("lenet5_const", "got 8x8"),
    ],
)
def test_images_too_small_are_refused_with_the_reason(name, reason):
    with pytest.raises(InvalidValue, match=reason):
        networks.build(name, input_shape=(1, 8, 8))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"name": "alexnet"}, "name"),
        ({"name": "hidden", "hidden": 0}, "hidden"),
        ({"name": "hidden", "classes": -1}, "classes"),
        ({"name": "hidden", "input_shape": (28, 28)}, "input_shape"),
        ({"name": "hidden", "variant": "fine"}, "variant"),
    ],
)
def test_build_refuses(options, field):
    with pytest.raises(InvalidValue, match=f"{field}: expected"):
        networks.build(**options)


def test_network_refuses_input_of_another_size():
    net = networks.build("shallow")
    for shape in [(2, 4, 64), (2, 784), (2, 0, 784)]:
        with pytest.raises(InvalidValue, match="shallow: x: expected"):
            net(torch.zeros(shape))


# -- export --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", networks.NAMES)
def test_the_twin_gives_the_same_spikes(name):
    net = strong(name, hidden=40, tau_hidden=3.0, tau_out=5.0, tau_input=2.0).double()
    rng = np.random.default_rng(2)
    images = rng.random((3, 784)) ** 2
    scale = 1.1 if name == "lenet5_const" else 1.0
    network, disc = export.to_eventsim(net, steps=4, encoder_scale=scale)
    x = coding.encode(torch.from_numpy(images), 4, net.encoder, scale)
    layers = net(x, layers=True)
    twin = disc.run(network, images if disc.encoder == "constant" else x.numpy(), layers=True)
    for layer, spikes in layers.items():
        np.testing.assert_array_equal(twin[layer], spikes.detach().flatten(2).numpy())
    assert network.outputs == ("out",)
    assert disc.variants == ({"image": "constant_potential"} if scale != 1 else {})


def test_exported_parameters():
    net = networks.build("hidden", hidden=5, tau_hidden=2.0, v_threshold=0.5)
    network, disc = export.to_eventsim(net, steps=6)
    hidden = network["hidden"]
    assert (hidden.tau_mem, hidden.t_ref, hidden.v_threshold) == (2e-3, 1e-3, 0.5)
    np.testing.assert_allclose(hidden.array("i_bias"), 2 * net.hidden.bias.detach().numpy())
    weight = network.projections[0].weight
    assert weight.dtype == np.float32
    np.testing.assert_array_equal(weight, net.hidden.weight.detach().numpy().T)
    assert {p.spread for p in network.projections} == {1e-3}
    assert (disc.dt, disc.steps, disc.spread, disc.encoder) == (1e-3, 6, 1e-3, "bernoulli")


@pytest.mark.parametrize(
    ("variant", "tau_mem", "t_ref"),
    [("coarse_drop", 4e-3, 1e-3), ("lif", 4e-3, 0.0), ("if", math.inf, 0.0)],
)
def test_export_of_variants(variant, tau_mem, t_ref):
    net = strong("hidden", hidden=20, variant=variant).double()
    network, disc = export.to_eventsim(net, steps=4)
    assert disc.rule == variant
    assert (network["hidden"].tau_mem, network["hidden"].t_ref) == (tau_mem, t_ref)
    x = torch.rand(3, 4, 784, dtype=torch.float64).round()
    np.testing.assert_array_equal(disc.run(network, x.numpy()), net(x).detach().numpy())


# -- datasets ------------------------------------------------------------------------------


def write_idx(path, array, compress=False):
    data = b"\x00\x00\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    data += array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if compress else data)


@pytest.fixture
def idx_folder(tmp_path):
    rng = np.random.default_rng(0)
    for k, (stem, n) in enumerate({"train": 40, "t10k": 10}.items()):
        images, labels = rng.integers(0, 256, (n, 28, 28)), np.arange(n) % 10
        suffix = ".gz" if k else ""
        write_idx(tmp_path / f"{stem}-images-idx3-ubyte{suffix}", images, bool(k))
        write_idx(tmp_path / f"{stem}-labels-idx1-ubyte{suffix}", labels, bool(k))
    return tmp_path


def test_idx_files(idx_folder):
    data = datasets.load("mnist", idx_folder)
    assert data.train_images.shape == (40, 1, 28, 28)
    assert data.train_images.dtype == np.float32
    assert data.train_images.max() <= 1
    assert data.test_labels.tolist() == list(range(10))
    file = idx_folder / "t10k-labels-idx1-ubyte.gz"
    assert data.checksums[file.name] == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "another format"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x01\x00", "another format"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x05\x01", "expected 5 bytes, got 1"),
        (b"\x1f\x8b broken", "expected a readable idx file"),
    ],
)
def test_damaged_idx_files(idx_folder, content, message):
    (idx_folder / "train-labels-idx1-ubyte").write_bytes(content)
    with pytest.raises(FileError, match=message):
        datasets.load("mnist", idx_folder)


def test_missing_data(idx_folder, monkeypatch):
    (idx_folder / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(FileError, match="train-labels-idx1-ubyte"):
        datasets.load("mnist", idx_folder)
    monkeypatch.setattr(datasets, "DEBIAN", idx_folder / "nowhere")
    with pytest.raises(FileError, match="dataset-fashion-mnist"):
        datasets.load("fashion-mnist")
    with pytest.raises(InvalidValue, match="dataset: expected one of"):
        datasets.load("cifar")
    with pytest.raises(InvalidValue, match="data_dir"):
        datasets.load("digits", idx_folder)


def test_labels_that_do_not_match(idx_folder):
    write_idx(idx_folder / "train-labels-idx1-ubyte", np.zeros(39))
    with pytest.raises(FileError, match="one label per image"):
        datasets.load("mnist", idx_folder)


@pytest.mark.parametrize(("name", "n", "size"), [("digits", 1797, 8), ("mnist", 5000, 28)])
def test_datasets_of_packages(name, n, size):
    data = datasets.load(name)
    assert len(data.train_labels) + len(data.test_labels) == n
    assert data.image_shape == (1, size, size)
    assert set(data.test_labels) == set(range(10))
    assert (data.train_images.min(), data.train_images.max()) == (0, 1)


# -- training ------------------------------------------------------------------------------


def test_training_learns_digits(digits):
    trainer = Trainer(dataclasses.replace(TINY, limit=0), digits)
    before = training.evaluate(
        trainer.net, trainer.settings, digits.test_images, digits.test_labels
    )
    while trainer.epoch < TINY.epochs:
        trainer.run_epoch()
    after = training.evaluate(trainer.net, trainer.settings, digits.test_images, digits.test_labels)
    assert after.interval[0] > 0.5 > before.interval[1]
    assert trainer.history[-1]["loss"] < trainer.history[0]["loss"]


def test_resumed_training_is_the_uninterrupted_one(digits, tmp_path):
    whole = Trainer(TINY, digits)
    for _ in range(3):
        whole.run_epoch()
    first = Trainer(TINY, digits)
    first.run_epoch()
    training.write_checkpoint(tmp_path / "c.pt", first.state())
    second = Trainer(TINY, digits)
    second.restore(training.read_checkpoint(tmp_path / "c.pt"))
    second.run_epoch()
    second.run_epoch()
    assert second.history == whole.history
    for key, value in whole.net.state_dict().items():
        assert torch.equal(value, second.net.state_dict()[key])
    assert list(tmp_path.iterdir()) == [tmp_path / "c.pt"]


def test_initial_weights_depend_on_the_seed_alone(digits):
    torch.manual_seed(1)
    one = training.build(TINY, digits.image_shape, 10).hidden.weight
    torch.manual_seed(2)
    drawn = torch.rand(1)
    torch.manual_seed(2)
    two = training.build(TINY, digits.image_shape, 10).hidden.weight
    assert torch.equal(one, two)
    assert torch.equal(drawn, torch.rand(1))
    other = training.build(dataclasses.replace(TINY, seed=1), digits.image_shape, 10)
    assert not torch.equal(one, other.hidden.weight)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"steps": 0}, "steps"),
        ({"lr": math.nan}, "lr"),
        ({"seed": -1}, "seed"),
        ({"encoder": "constant"}, "encoder"),
        ({"limit": 5000}, "limit"),
        ({"loss": "hinge"}, "loss"),
    ],
)
def test_trainer_refuses(digits, change, field):
    with pytest.raises(InvalidValue, match=f"{field}: expected"):
        Trainer(dataclasses.replace(TINY, **change), digits)


def test_wilson_interval():
    low, high = training.Accuracy(80, 100).interval
    assert (low, high) == pytest.approx((0.7112, 0.8666), abs=1e-4)


# -- the command ---------------------------------------------------------------------------

COMMAND = "hidden --dataset digits --hidden 16 --epochs 2 --limit 200 --lr 0.02".split()


def run(capsys, *arguments):
    status = train.guarded(train.main, [str(a) for a in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_command_writes_a_network(tmp_path, capsys):
    out, again = tmp_path / "net.h5", tmp_path / "again.h5"
    checkpoint = tmp_path / "c.pt"
    status, text, _ = run(capsys, *COMMAND, "--out", out, "--checkpoint", checkpoint)
    assert status == 0
    assert text.splitlines()[-1] == f"wrote {out}"
    assert "of 360 digits test images" in text
    network, disc = es.load(out)
    assert network["hidden"].n == 16
    assert disc.steps == 4
    resumed = run(capsys, *COMMAND, "--out", again, "--checkpoint", checkpoint, "--resume")
    assert resumed[0] == 0
    assert again.read_bytes() == out.read_bytes()


def test_command_errors_are_one_line(tmp_path, capsys, digits):
    out = tmp_path / "net.h5"
    taken = tmp_path / "taken.pt"
    taken.write_text("no checkpoint")
    other = tmp_path / "other.pt"
    training.write_checkpoint(other, Trainer(TINY, digits).state())
    cases = {
        ("alexnet",): "alexnet",
        (*COMMAND,): "--out",
        (*COMMAND, "--out", tmp_path): "got a folder",
        (*COMMAND, "--out", taken): "--overwrite",
        (*COMMAND, "--out", tmp_path / "no" / "x.h5"): "writable folder",
        (*COMMAND, "--out", out, "--checkpoint", taken): "--overwrite",
        (*COMMAND, "--out", out, "--checkpoint", taken, "--resume"): "readable checkpoint",
        (*COMMAND, "--out", out, "--checkpoint", out, "--resume"): "no such file",
        (*COMMAND, "--out", out, "--checkpoint", other, "--resume"): "epochs: expected 2",
        (*COMMAND, "--out", out, "--resume"): "--checkpoint",
        (*COMMAND, "--out", out, "--data-dir", tmp_path): "data_dir",
        (*COMMAND, "--out", out, "--steps", "0"): "steps: expected",
        (*COMMAND, "--out", out, "--lr", "fast"): "fast",
        ("lenet5", "--dataset", "digits", "--out", out): "too small|large enough",
    }
    for arguments, message in cases.items():
        status, text, error = run(capsys, *arguments)
        assert (status, text, error.count("\n")) == (2, "", 1), error
        assert error.startswith("error: ")
        assert any(part in error for part in message.split("|")), error
    assert not out.exists()


def test_a_checkpoint_with_pickled_code_is_refused(tmp_path):
    path = tmp_path / "evil.pt"
    torch.save({"format": training.FORMAT, "x": Path("/")}, path)
    with pytest.raises(FileError, match="readable checkpoint"):
        training.read_checkpoint(path)
    torch.save({"format": "another"}, path)
    with pytest.raises(FileError, match="another file"):
        training.read_checkpoint(path)


def test_command_of_provenance_gives_the_same_settings():
    settings = dataclasses.replace(TINY, tau_out=8.0)
    words = export.command(settings, "x.h5", every=True).split()[3:]
    parsed = train.main.make_context("train", words).params
    for field in dataclasses.fields(Settings):
        assert parsed[field.name] == getattr(settings, field.name)
    assert export.command(settings, "x.h5") == (
        "python -m models.train hidden --dataset digits --epochs 3 --hidden 32 --tau-out 8.0 "
        "--lr 0.02 --limit 600 --out x.h5"
    )


def test_subset(idx_folder, capsys):
    out = idx_folder / "test5.npz"
    arguments = ["--dataset", "mnist", "--data-dir", str(idx_folder), "--out", str(out)]
    assert train.guarded(subset.main, [*arguments, "--count", "5"]) == 0
    raw = datasets.read_idx(idx_folder / "t10k-images-idx3-ubyte.gz")
    with np.load(out, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["images"], raw[:5])
        assert file["labels"].tolist() == [0, 1, 2, 3, 4]
        assert file["images"].dtype == file["labels"].dtype == np.uint8
    first = out.read_bytes()
    assert train.guarded(subset.main, [*arguments, "--count", "5"]) == 2
    assert train.guarded(subset.main, [*arguments, "--count", "5", "--overwrite"]) == 0
    assert out.read_bytes() == first
    assert train.guarded(subset.main, [*arguments, "--count", "11", "--overwrite"]) == 2
    assert "from 1 to 10" in capsys.readouterr().err


# -- the data that come with the repository ------------------------------------------------


def test_checksums_of_the_data():
    lines = (DATA / "SHA256SUMS").read_text().splitlines()
    listed = dict(reversed(line.split("  ")) for line in lines)
    assert set(listed) == {p.name for p in DATA.iterdir()} - {"README.md", "SHA256SUMS"}
    for name, digest in listed.items():
        assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == digest, name
    assert sum((DATA / name).stat().st_size for name in listed) < 4e6


def test_images_of_the_data():
    images, labels = load_images()
    assert (images.shape, images.dtype) == ((500, 28, 28), np.uint8)
    assert (labels.shape, labels.dtype) == ((500,), np.uint8)
    assert np.bincount(labels).min() > 30


def load_images():
    with np.load(DATA / "fashion-mnist_test500.npz", allow_pickle=False) as file:
        return file["images"], file["labels"]


@pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
def test_trained_networks_reach_their_accuracy(path):
    """The twin, on the images that come along: within the error of so few of them."""
    images, labels = load_images()
    images, labels = images[:250] / np.float32(255), labels[:250]
    net, disc = es.load(path)
    counts = disc.run(net, es.encode.encode(images, disc)).sum(axis=1, dtype=int)
    accuracy = (counts.argmax(axis=1) == labels).mean()
    noted = read_provenance(path)["coarse_accuracy"]
    assert accuracy == pytest.approx(noted["value"], abs=0.07)
    assert noted["test_images"] == 10_000
    assert (disc.dt, disc.steps, disc.spread) == (1e-3, 4, 1e-3)
    assert all(getattr(p, "spread", 1e-3) == 1e-3 for p in net.projections)


def test_table_of_the_data():
    """The readme says of each network what its file says."""
    text = (DATA / "README.md").read_text()
    assert {path.stem for path in TRAINED} >= {"shallow", "hidden", "lenet5"}
    for path in TRAINED:
        noted = read_provenance(path)
        accuracy = noted["coarse_accuracy"]
        shown = training.Accuracy(accuracy["correct"], accuracy["test_images"])
        row = next(line for line in text.splitlines() if line.startswith(f"| `{path.name}`"))
        assert str(shown).split(" of ")[0] in row
        assert export.command(Settings(**noted["settings"]), path.name) in row
    assert text.count("\n| `") == len(list(DATA.glob("*.h5")))
