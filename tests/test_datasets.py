"""Pictures to train on: drawn shapes, the shortcut, Fashion-MNIST from its files."""

import gzip
import struct

import numpy as np
import pytest
import torch

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
    with pytest.raises(vizkit.VizkitError, match=r"from 0 to 1, not 1\.5"):
        plant(data, mark, share=1.5)
    with pytest.raises(vizkit.VizkitError, match='No class "sun"'):
        plant(data, Mark("sun"))
    with pytest.raises(vizkit.VizkitError, match='No corner "middle"'):
        Mark("star", "middle").region(64, 64)
    with pytest.raises(vizkit.VizkitError, match="does not fit"):
        Mark("star", side=61).region(64, 64)


def test_energy_is_one_for_an_even_image_and_counts_what_is_in_the_corner():
    mark = Mark("star", side=8)
    image = torch.ones(2, 3, 64, 64)
    rows, columns = mark.region(64, 64)
    image[1, :, rows, columns] = 3.0
    mean = (9 * 64 + 64 * 64 - 64) / 64**2
    assert mark.energy(image).tolist() == pytest.approx([1, 9 / mean])
    assert mark.energy(torch.zeros(1, 3, 64, 64)).tolist() == [0]


def fashion_files(folder, train=30, test=20):
    """Files as Fashion-MNIST's are: a header of big-endian numbers, then bytes."""
    rng = np.random.default_rng(0)
    made = {}
    for part, count in (("train", train), ("t10k", test)):
        pictures = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        targets = (np.arange(count) % 10).astype(np.uint8)
        header = struct.pack(">IIII", 0x803, count, 28, 28)
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + pictures.tobytes()))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(
            gzip.compress(struct.pack(">II", 0x801, count) + targets.tobytes())
        )
        made[part] = pictures, targets
    return made


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """A cache of its own, no folder of Debian's, and no network."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "cache" / "hub"))
    monkeypatch.setattr(vizkit.datasets, "FASHION_FOLDERS", ())
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: (_ for _ in ()).throw(OSError("no network")))
    return tmp_path


def test_fashion_mnist_is_read_from_a_folder_and_then_from_the_cache(empty_cache):
    made = fashion_files(empty_cache)
    data = vizkit.datasets.fashion(empty_cache)
    assert (data.pictures[:, 0].numpy() == made["train"][0]).all()
    assert (data.test_targets.numpy() == made["t10k"][1]).all()
    assert data.labels[7] == "Sneaker"
    for file in empty_cache.glob("*.gz"):
        file.unlink()
    assert torch.equal(vizkit.datasets.fashion().pictures, data.pictures)


def test_without_files_and_without_a_network_the_message_says_what_to_do(empty_cache):
    with pytest.raises(vizkit.VizkitError, match=r"could not be downloaded.*fashion\(folder\).*shapes\(\)"):
        vizkit.datasets.fashion()
    with pytest.raises(vizkit.VizkitError, match=r"train-images-idx3-ubyte\.gz is missing"):
        vizkit.datasets.fashion(empty_cache)
    with pytest.raises(vizkit.VizkitError, match="nowhere is not a folder"):
        vizkit.datasets.fashion("nowhere")
