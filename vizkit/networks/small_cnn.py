"""A small CNN for small pictures, to be trained in a minute on a CPU."""

from collections.abc import Iterator

import torch
from torch import nn


def small_cnn(channels: int, classes: int, size: int = 28, width: int = 32, seed: int = 0) -> nn.Sequential:
    """
    >>> vizkit.small_cnn(channels=3, classes=8, size=64)(torch.zeros(1, 3, 64, 64)).shape
    torch.Size([1, 8])

    A small CNN with random weights, which `seed` draws: three convolutions, each with batch norm and ReLU, with the
    image halved in between; a linear layer makes a score for each class out of what is where, on a grid of 4 × 4
    places. Images of a `size` over 32 pixels are halved once more, by the first convolution. From (batch, channels,
    height, width) to (batch, classes).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        cnn = nn.Sequential(
            *convolution(channels, width, *((4, 2) if size > 32 else (3, 1)), halved=True),
            *convolution(width, 2 * width, halved=True),
            *convolution(2 * width, 2 * width),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(2 * width * 4 * 4, classes),
        )
    return cnn.to(memory_format=torch.channels_last)  # a third faster to train on a CPU


def convolution(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, halved: bool = False
) -> Iterator[nn.Module]:
    """Convolution, batch norm and ReLU, which may have half as many rows and columns to look at: the same values."""
    yield nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=False)
    yield nn.BatchNorm2d(outputs)
    if halved:
        yield nn.MaxPool2d(2)
    yield nn.ReLU()
