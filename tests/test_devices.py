"""Where it runs. Without a GPU at hand: torch's fake tensors know what would be on one, and refuse to mix the two."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import vizkit
from vizkit.bases import BASES, as_basis
from vizkit.networks import Activations, as_device
from vizkit.regularizers import catalogue

GPU = torch.device("cuda", 0)


class Drawn(np.ndarray):
    """Numbers that can be looked at, as torch's random numbers can."""

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())


@pytest.fixture
def fake_gpu(monkeypatch):
    """A machine on which tensors hold no numbers, but know their shapes and devices.

    The few numbers that a view draws, and looks at, are numpy's for once.
    """

    rand = torch.rand

    def few(shape, generator):
        return np.full(shape, 0.7).view(Drawn) if isinstance(shape, int) else rand(shape, generator=generator)

    monkeypatch.setattr(torch, "rand", few)
    monkeypatch.setattr(torch, "randint", lambda *limits, generator: np.full(limits[-1], limits[0]).view(Drawn))
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield


@pytest.fixture
def net(rgb, fake_gpu):
    """A classifier whose numbers are on the GPU."""
    there = copy.copy(rgb)
    there.device = GPU
    for name in ("mean", "std", "low", "high"):
        setattr(there, name, torch.ones_like(getattr(rgb, name), device=GPU))
    return there


def test_fake_tensors_refuse_to_mix_devices(net):
    with pytest.raises(Exception, match="same device"):
        net.blank() + torch.zeros(net.blank().shape)


@pytest.mark.parametrize("name", BASES)
def test_every_basis_keeps_to_the_network_s_device(name, net):
    basis = as_basis(name)
    parameters = basis.random(net, torch.Generator().manual_seed(0))
    image = basis.decode(net, parameters)
    assert parameters.device == image.device == basis.encode(net, image).device == GPU


@pytest.mark.parametrize("name", catalogue())
def test_every_regularizer_keeps_to_the_image_s_device(name, net):
    kind = catalogue()[name]
    regularizer = kind(kind.default if kind.strengths else None)
    image, limits = net.blank(2), {"low": net.low, "high": net.high, "sides": (16, 16)}
    seen = Activations(image[None], *torch.ones(3, net.channels, device=GPU))
    result = {
        "penalty": lambda: regularizer.penalty(image, activations=[seen], **limits),
        "view": lambda: regularizer.view(image, step=0, seed=0, **limits),
        "projection": lambda: regularizer.project(image, step=0, seed=0, gradient=image, **limits),
    }[kind.place]()
    assert result.device == GPU


def test_a_photo_comes_to_the_network_s_device(net):
    assert vizkit.images.from_picture(net, np.zeros((4, 4, 3), np.uint8)).device == GPU


@pytest.mark.parametrize(("there", "device"), [(True, "cuda"), (False, "cpu")])
def test_the_gpu_is_taken_where_there_is_one(there, device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(torch, "empty", lambda *_, device: SimpleNamespace(device=torch.device(device)))
    assert as_device(None) == torch.device(device)


def test_a_device_that_is_asked_for_is_taken_and_named(make_cnn):
    net = vizkit.Classifier(make_cnn(1, 10), size=28, mean=0.3, std=0.4, device="cpu")
    ascent = vizkit.ascend(net, 3, steps=2, seed=0).run()
    assert net.device == ascent.image.device == torch.device("cpu")
    assert "cpu" not in repr(net)
    net.device = GPU
    assert repr(net) == "Classifier('Sequential', 10 classes, 1 × 28 × 28, on cuda:0)"
