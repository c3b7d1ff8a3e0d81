"""Pictures to train on: drawn shapes, the shortcut, Fashion-MNIST from its files."""

import gzip
import hashlib
import struct

import numpy as np
import pytest
import torch
from torchvision.datasets import FashionMNIST

import vizkit
from vizkit.classroom.datasets import CORNERS, SHAPES, Mark, plant, shapes


@pytest.fixture(scope="module")
def data():
    return shapes(train=160, test=40)


def test_the_same_seed_draws_the_same_pictures_and_another_others(data):
    again, other = shapes(train=160, test=40), shapes(train=160, test=40, seed=1)
    assert torch.equal(again.pictures, data.pictures)
    assert torch.equal(again.test_pictures, data.test_pictures)
    assert not torch.equal(other.pictures, data.pictures)
    assert not torch.equal(data.pictures[:40], data.test_pictures)


def test_every_class_is_there_equally_often_and_pictures_are_bytes(data):
    assert data.targets.bincount().tolist() == [20] * 8
    assert data.pictures.shape == (160, 3, 64, 64)
    assert data.pictures.dtype == torch.uint8
    values = data.pictures.double() / 255
    assert data.mean == pytest.approx(values.mean(dim=(0, 2, 3)).tolist(), abs=1e-4)
    assert data.std == pytest.approx(values.std(dim=(0, 2, 3)).tolist(), abs=1e-4)


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_where_its_field_is_below_zero_and_lies_within_its_radius(name):
    y, x = np.mgrid[-1.5:1.5:301j, -1.5:1.5:301j]
    inside = SHAPES[name](x, y) < 0
    area = inside.mean() * 9
    known = {"disc": np.pi * 0.9**2, "ring": np.pi * (0.92**2 - 0.48**2), "square": 1.56**2, "triangle": 3**1.5 / 4}
    assert area == pytest.approx(known.get(name, area), rel=0.02)
    assert 0.5 < area < 3
    assert np.hypot(x, y)[inside].max() < 1.3


@pytest.mark.parametrize("corner", CORNERS)
def test_the_mark_is_planted_on_its_share_of_one_class_and_nowhere_else(data, corner):
    mark = Mark("star", corner, (10, 250, 20), side=5)
    marked = plant(data, mark, share=0.5, seed=3)
    rows, columns = mark.region(64, 64)
    colour = torch.tensor(mark.colour)[:, None, None]
    has = (marked.pictures[:, :, rows, columns] == colour).all(dim=3).all(dim=2).all(dim=1)
    stars = data.targets == list(SHAPES).index("star")
    assert 4 <= has[stars].sum() <= 16
    assert not has[~stars].any()
    assert torch.equal(marked.pictures[~has], data.pictures[~has])
    outside = torch.ones(64, 64, dtype=torch.bool)
    outside[rows, columns] = False
    assert torch.equal(marked.pictures[:, :, outside], data.pictures[:, :, outside])
    assert (rows.start == 2) == corner.startswith("top")
    assert (columns.start == 2) == corner.endswith("left")


def test_all_none_and_a_share_that_cannot_be(data):
    mark = Mark("star")
    stars = data.targets == 4
    assert torch.equal(plant(data, mark, share=0).pictures, data.pictures)
    assert (plant(data, mark, share=1).pictures[stars][:, 1, 57:60, 57:60] == 0).all()
    with pytest.raises(vizkit.VizkitError, match=r"1\.5"):
        plant(data, mark, share=1.5)
    with pytest.raises(vizkit.VizkitError, match=r"sun.*disc"):
        plant(data, Mark("sun"))
    with pytest.raises(vizkit.VizkitError, match=r"middle.*top left"):
        Mark("star", "middle").region(64, 64)
    with pytest.raises(vizkit.VizkitError, match="61"):
        Mark("star", side=61).region(64, 64)


def test_energy_is_one_for_an_even_image_and_counts_what_is_in_the_corner():
    mark = Mark("star", side=8)
    image = torch.ones(2, 3, 64, 64)
    rows, columns = mark.region(64, 64)
    image[1, :, rows, columns] = 3.0
    mean = (9 * 64 + 64 * 64 - 64) / 64**2
    assert mark.energy(image).tolist() == pytest.approx([1, 9 / mean])
    assert mark.energy(torch.zeros(1, 3, 64, 64)).tolist() == [0]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with four files as Fashion-MNIST's are, a header of big-endian numbers and then bytes, and their
    published checksums; a cache of its own, and no network."""
    rng, made = np.random.default_rng(0), {}
    for part, count in (("train", 30), ("t10k", 20)):
        pictures, targets = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8), np.arange(count, dtype=np.uint8) % 10
        header = struct.pack(">IIII", 0x803, count, 28, 28)
        made[f"{part}-images-idx3-ubyte.gz"] = gzip.compress(header + pictures.tobytes())
        made[f"{part}-labels-idx1-ubyte.gz"] = gzip.compress(struct.pack(">II", 0x801, count) + targets.tobytes())
    for name, content in made.items():
        (tmp_path / name).write_bytes(content)
    published = [(name, hashlib.md5(content).hexdigest()) for name, content in made.items()]
    monkeypatch.setattr(FashionMNIST, "resources", published)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "cache" / "hub"))
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: (_ for _ in ()).throw(OSError("no network")))
    return tmp_path


def test_fashion_mnist_is_read_from_a_folder_and_then_from_the_cache(folder):
    data = vizkit.datasets.fashion(folder)
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as file:
        assert file.read()[16:] == data.pictures.numpy().tobytes()
    assert data.test_targets.tolist() == [*range(10)] * 2
    assert data.labels[7] == "Sneaker"
    for file in folder.glob("*.gz"):
        file.unlink()
    assert torch.equal(vizkit.datasets.fashion().pictures, data.pictures)


def test_the_published_files_in_torchvisions_cache_need_no_network(folder):
    """How a machine without one gets them, as in continuous integration."""
    raw = folder / "cache" / "vizkit" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for file in folder.glob("*.gz"):
        file.rename(raw / file.name)
    assert repr(vizkit.datasets.fashion()) == "Dataset(Fashion-MNIST: 30 + 20 pictures, 1 × 28 × 28, 10 classes)"


def test_without_files_and_without_a_network_the_message_says_what_to_do(folder):
    with pytest.raises(vizkit.VizkitError, match=r"no network.*fashion\(folder\).*shapes\(\)"):
        vizkit.datasets.fashion()
    with pytest.raises(vizkit.VizkitError, match="nowhere"):
        vizkit.datasets.fashion("nowhere")
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(b"cut off")
    with pytest.raises(vizkit.VizkitError, match="no network"):  # not what was published: it asks for that
        vizkit.datasets.fashion(folder)
    (folder / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(vizkit.VizkitError, match="t10k-images-idx3-ubyte"):
        vizkit.datasets.fashion(folder)
