"""What the tests share: the built-in CNN, loaded once, and small networks with seeded random weights."""

import os
from collections.abc import Callable
from typing import Any

import pytest
import torch
from playwright._impl._driver import compute_driver_executable
from torch import nn

import vizkit

# One thread: small networks gain nothing from a second, and on a busy machine two threads that wait for each other
# make a step a hundred times slower.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # and in the kernels, servers and shells that tests start
# glibc hands large blocks back at once, and each step fetches them anew: a third of the time of a batch of 36.
os.environ |= {"MALLOC_MMAP_THRESHOLD_": str(2**32), "MALLOC_TRIM_THRESHOLD_": str(2**33)}

# A test with one of these markers is slow, too: `-m "not slow"` leaves the fast part.
SLOW = ("browser", "notebook", "training", "install", "processes", "libraries")
# Files whose tests share nothing, and each take long: they are dealt out one by one.
APART = ("test_notebooks.py", "test_browser_notebook7.py")

GRAY = {"size": 28, "mean": (0.286,), "std": (0.353,)}
RGB = {"size": 32, "mean": (0.49, 0.48, 0.45), "std": (0.25, 0.24, 0.26)}


def small_cnn(channels: int, classes: int) -> nn.Sequential:
    """Convolution, batch norm and ReLU, twice, then a linear layer; in training mode, as a fresh module is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        cnn = nn.Sequential(
            nn.Sequential(nn.Conv2d(channels, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
            nn.Sequential(nn.Conv2d(8, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU()),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(64, classes),
        )
        for layer in cnn.modules():
            if isinstance(layer, nn.BatchNorm2d):  # as after training: far from the identity
                for values in (layer.running_var, layer.weight.data):
                    values.uniform_(0.5, 2)
                for values in (layer.running_mean, layer.bias.data):
                    values.normal_(0, 0.3)
    return cnn


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what is slow, and puts it first: the fast tests at the end keep both processes busy."""
    for item in items:
        if any(item.get_closest_marker(marker) for marker in SLOW):
            item.add_marker("slow")
    items.sort(key=lambda item: not item.get_closest_marker("slow"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Which tests stay together in one process: those of a file, since they share what is dear."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            if file.endswith(APART):
                return nodeid
            # Tests of one environment of Colab's, in whatever file, follow upon each other.
            return ("colab, oldest" if "oldest" in nodeid else "colab") if "colab" in file else file

    return Scheduling(config, log)


@pytest.fixture(autouse=True)
def own_regularizers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it."""
    monkeypatch.setattr(vizkit.regularizers, "_known", vizkit.regularizers.catalogue())


@pytest.fixture(scope="session")
def node() -> str:
    """What runs JavaScript: it comes with playwright, so that no machine is without."""
    return str(compute_driver_executable()[0])


@pytest.fixture(scope="session")
def make_cnn() -> Callable[[int, int], nn.Sequential]:
    """`make_cnn(channels, classes)`: a fresh raw module, always with the same weights."""
    return small_cnn


@pytest.fixture(scope="session")
def net() -> vizkit.Classifier:
    """The built-in ImageNet CNN."""
    return vizkit.load()


@pytest.fixture
def gray_module() -> nn.Sequential:
    return small_cnn(1, 10)


@pytest.fixture
def rgb_module() -> nn.Sequential:
    return small_cnn(3, 5)


@pytest.fixture(scope="session")
def gray() -> vizkit.Classifier:
    """Ten classes, 1 × 28 × 28."""
    return vizkit.Classifier(small_cnn(1, 10), **GRAY, device="cpu")


@pytest.fixture(scope="session")
def rgb() -> vizkit.Classifier:
    """Five classes, 3 × 32 × 32."""
    return vizkit.Classifier(small_cnn(3, 5), **RGB, device="cpu")


@pytest.fixture(scope="session")
def tiny() -> vizkit.Classifier:
    """For quick ascents: four shapes, 3 × 12 × 16, higher than wide nowhere, so that a swapped side shows."""
    labels = ["circle", "square", "star", "cross"]
    return vizkit.Classifier(small_cnn(3, 4), labels, **(RGB | {"size": (12, 16)}), device="cpu")
