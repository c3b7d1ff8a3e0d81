"""What the batch norms of a network see in a forward pass, beside what they have seen of photographs in training."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.instancenorm import _InstanceNorm


class Activations(NamedTuple):
    """Of one batch norm: the `values` that it sees, (views, batch, channels, places…); and, (channels,) each, what they
    were in training: their `mean` and `spread` (standard deviation), and the `scale` that both are measured in."""

    values: Tensor
    mean: Tensor
    spread: Tensor
    scale: Tensor

    def of(self, images: slice) -> "Activations":
        """Of some images alone."""
        return self._replace(values=self.values[:, images])


def remember(network: nn.Module) -> None:
    """Writes down, in every batch norm that has statistics of training, the `mean`, `spread` and `scale` of what goes
    in, as a buffer `remembered`, (3, channels)."""
    layers: list[Any] = list(network.modules())
    for layer in layers:
        mean, variance = getattr(layer, "running_mean", None), getattr(layer, "running_var", None)
        if mean is not None and variance is not None and not isinstance(layer, (_InstanceNorm, torch.jit.ScriptModule)):
            gain, shift = _affine(layer)
            # A channel that its gain makes constant, but for rounding, tells nothing.
            scale = torch.where(gain > 1e-4 * (1 + shift.abs()), (variance + layer.eps).sqrt(), torch.inf)
            layer.register_buffer("remembered", torch.stack([mean, variance.sqrt(), scale]), persistent=False)


def remember_when_folded(fused: nn.Module, norm: Any) -> None:
    """The same of what comes out of a batch norm, in the convolution that it was folded into: there a channel has the
    mean β and the scale |γ|."""
    (gain, shift), (_, spread, scale) = _affine(norm), norm.remembered
    statistics = torch.stack([shift, gain * spread / scale, torch.where(scale.isinf(), scale, gain)])
    fused.register_buffer("remembered", statistics, persistent=False)


def _affine(norm: Any) -> tuple[Tensor, Tensor]:
    """|γ| and β of every channel."""
    weight, bias = getattr(norm, "weight", None), getattr(norm, "bias", None)
    gain = torch.ones_like(norm.running_mean) if weight is None else weight.detach().abs()
    return gain, torch.zeros_like(gain) if bias is None else bias.detach()


@contextmanager
def watched(network: nn.Module, views: int, batch: int, wanted: bool = True) -> Iterator[list[Activations]]:
    """Inside, every batch norm that runs adds what it sees of so many views of so many images; if that is wanted."""
    seen: list[Activations] = []
    versions: list[tuple[Any, Tensor, int]] = []

    def keep(layer: Any, inputs: tuple[Any, ...], output: Any) -> None:
        values = inputs[0] if hasattr(layer, "running_mean") else output
        if values.ndim > 2 and len(values) == views * batch:  # of one place there is no spread
            versions.append((layer, values, values._version))
            values = values.clone() if hasattr(layer, "is_written_over") else values
            seen.append(Activations(values.float().unflatten(0, (views, batch)), *layer.remembered.float()))

    layers = [layer for layer in network.modules() if wanted and hasattr(layer, "remembered")]
    handles = [layer.register_forward_hook(keep) for layer in layers]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
        for layer, values, version in versions:
            if values._version != version:  # by what comes later in the network: from now on a copy is kept
                layer.is_written_over = True
