"""Small networks by chance, out of a grammar of what people build; the same number gives the same network."""

import random

import torch
from torch import nn
from torch.nn import functional as F


class Around(nn.Module):
    """A layer with something done around it: what is no layer of its own."""

    def __init__(self, what, layer, **more):
        super().__init__()
        self.what, self.layer = what, layer
        for name, one in more.items():
            setattr(self, name, one)

    def forward(self, x):
        return self.what(self, x)


class Subclassed(nn.BatchNorm2d):
    """A batch norm that does more than its name says."""

    def forward(self, x):
        return F.elu(super().forward(x))


def network(number):
    """The network, with its channels, its sides and its number of classes."""
    chance = random.Random(number)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(number)
        channels, classes = chance.choice([1, 3, 3, 3, 4]), chance.choice([1, 2, 5, 12])
        height, width = chance.choice([(16, 16), (24, 24), (20, 28)])
        layers, width_now = [], channels
        for _ in range(chance.randint(1, 3)):
            more, width_now = block(chance, width_now)
            layers += more
        cnn = ending(chance, layers, width_now, classes)
        if chance.random() < 0.15:
            cnn = chance.choice([listed, cast, in_double, hooked, hooked_before, watched])(cnn)
        for layer in cnn.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.running_mean is not None:
                layer.running_mean.normal_(0, 0.3)
                layer.running_var.uniform_(0.5, 2)
        cnn.train(chance.random() < 0.5)
    return cnn, channels, (height, width), classes


def block(chance, inputs):
    """Layers that make more channels of some: a convolution, a norm, an activation, and perhaps something else."""
    outputs = chance.choice([4, 6, 8])
    layers = [convolution(chance, inputs, outputs)]
    if chance.random() < 0.8:
        layers.append(norm(chance, outputs))
    layers.append(activation(chance))
    if chance.random() < 0.3:
        same = nn.Sequential(nn.Conv2d(outputs, outputs, 3, padding=1), norm(chance, outputs), activation(chance))
        layers.append(chance.choice([residual, gated, twice, concatenated])(same, outputs))
    if chance.random() < 0.25:
        layers.append(chance.choice(POOLS)())
    if chance.random() < 0.2:
        layers.append(chance.choice(DROPOUTS)())
    return layers, outputs


def convolution(chance, inputs, outputs):
    kind = chance.randrange(9)
    stride = chance.choice([1, 1, 2])
    if kind == 0:
        return nn.Conv2d(inputs, outputs, 1, stride, bias=chance.random() < 0.5)
    if kind == 1:
        return nn.Conv2d(
            inputs, outputs, 3, stride, 1, padding_mode=chance.choice(["reflect", "circular", "replicate"])
        )
    if kind == 2:
        return nn.Conv2d(inputs, outputs, 3, 1, 2, dilation=2)
    if kind == 3:
        return nn.Sequential(nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs), nn.Conv2d(inputs, outputs, 1))
    if kind == 4:
        return nn.ConvTranspose2d(inputs, outputs, 2, 1)
    if kind == 5:
        return nn.utils.parametrizations.weight_norm(nn.Conv2d(inputs, outputs, 3, stride, 1))
    if kind == 6:
        return nn.utils.parametrizations.spectral_norm(nn.Conv2d(inputs, outputs, 3, stride, 1))
    if kind == 7:
        volume = nn.Conv3d(1, outputs, (inputs, 3, 3), (1, stride, stride), (0, 1, 1))
        return Around(lambda s, x: s.layer(x.unsqueeze(1)).squeeze(2), volume)
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=chance.random() < 0.5)


def norm(chance, width):
    return chance.choice(
        [
            lambda: nn.BatchNorm2d(width),
            lambda: nn.BatchNorm2d(width),
            lambda: nn.BatchNorm2d(width, affine=False),
            lambda: nn.BatchNorm2d(width, momentum=None),
            lambda: nn.BatchNorm2d(width, track_running_stats=False),
            lambda: Subclassed(width),
            lambda: nn.SyncBatchNorm(width),
            lambda: nn.GroupNorm(2, width),
            lambda: nn.InstanceNorm2d(width, affine=True),
            lambda: nn.LocalResponseNorm(3),
            lambda: Around(lambda s, x: s.layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), nn.LayerNorm(width)),
        ]
    )()


def activation(chance):
    in_place = chance.random() < 0.5
    return chance.choice(
        [
            lambda: nn.ReLU(in_place),
            lambda: nn.ReLU6(in_place),
            lambda: nn.LeakyReLU(0.1, in_place),
            lambda: nn.ELU(inplace=in_place),
            lambda: nn.SiLU(in_place),
            lambda: nn.Hardswish(in_place),
            nn.GELU,
            nn.PReLU,
            nn.Softplus,
            nn.Tanh,
            lambda: Around(lambda s, x: F.relu(x, inplace=True), nn.Identity()),
            lambda: Around(lambda s, x: x.clamp(min=0).sqrt().add(1e-3), nn.Identity()),
        ]
    )()


POOLS = [
    lambda: nn.MaxPool2d(2, ceil_mode=True),
    lambda: nn.AvgPool2d(2, ceil_mode=True),
    lambda: nn.AdaptiveMaxPool2d(4),
    lambda: nn.LPPool2d(2, 2, ceil_mode=True),
    lambda: nn.Upsample(scale_factor=2),
    lambda: Around(lambda s, x: F.interpolate(x, size=7, mode="bilinear"), nn.Identity()),
    lambda: Around(lambda s, x: x[..., ::2, ::2], nn.Identity()),
]
DROPOUTS = [
    nn.Dropout,
    nn.Dropout2d,
    lambda: Around(lambda s, x: F.dropout(x, 0.3, training=s.training), nn.Identity()),
    lambda: Around(lambda s, x: F.dropout(x, 0.3), nn.Identity()),  # always on
    lambda: Around(lambda s, x: x + 0.3 * torch.randn_like(x), nn.Identity()),
]


def residual(same, _):
    return Around(lambda s, x: x + s.layer(x), same)


def twice(same, _):
    return Around(lambda s, x: s.layer(s.layer(x)), same)


def concatenated(same, width):
    return Around(lambda s, x: s.last(torch.cat([x, s.layer(x)], dim=1)), same, last=nn.Conv2d(2 * width, width, 1))


def gated(same, width):
    gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, width, 1), nn.Sigmoid())
    return Around(lambda s, x: s.layer(x) * s.gate(x), same, gate=gate)


def ending(chance, layers, width, classes):
    """The layers with a head: scores, or what people take for scores."""
    pooled = [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, classes)]
    kind = chance.randrange(12)
    if kind == 0:
        return Around(lambda s, x: s.layer(x).mean((2, 3)), nn.Sequential(*layers, nn.Conv2d(width, classes, 1)))
    if kind == 1:
        return Around(lambda s, x: s.layer(x).squeeze(), nn.Sequential(*layers, *pooled))
    if kind == 2:
        return nn.Sequential(*layers, *pooled, chance.choice([nn.Softmax(1), nn.Sigmoid(), nn.LogSoftmax(1)]))
    if kind == 3:
        mask = torch.zeros(classes)
        mask[-1] = chance.choice([-1e9, -torch.inf, -1e4])
        return Around(lambda s, x: s.layer(x) + mask, nn.Sequential(*layers, *pooled))
    if kind == 4:
        return Around(lambda s, x: s.layer(x).amax((2, 3)), nn.Sequential(*layers, nn.Conv2d(width, classes, 1)))
    if kind == 5:
        return Around(lambda s, x: s.layer(x)[:, :, 0], nn.Sequential(*layers, *pooled, nn.Unflatten(1, (classes, 1))))
    return nn.Sequential(*layers, *pooled)


def listed(cnn):
    return Around(lambda s, x: s.parts[0](x), nn.Identity(), parts=[cnn])


def cast(cnn):
    return Around(lambda s, x: s.layer(x.bfloat16()), cnn.bfloat16())


def in_double(cnn):
    return cnn.double()


def hooked(cnn):
    cnn.register_forward_hook(lambda module, given, result: 2 * result + 1)
    return cnn


def hooked_before(cnn):
    cnn.register_forward_pre_hook(lambda module, given: (2 * given[0] - 0.3,))
    return cnn


def watched(cnn):
    found = []
    next(cnn.children()).register_forward_hook(lambda module, given, result: found.append(result.shape))
    return cnn
