"""What the batch norms of a network see in a forward pass, beside what they have seen of photographs in training."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from threading import get_ident
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


def batch_norms(network: nn.Module) -> list[Any]:
    """Those that have statistics of training, of whichever class they are."""
    others = (_InstanceNorm, torch.jit.ScriptModule)
    kept = ("running_mean", "running_var")
    layers = (layer for layer in network.modules() if hasattr(layer, "eps") and not isinstance(layer, others))
    return [layer for layer in layers if all(isinstance(getattr(layer, name, None), Tensor) for name in kept)]


def remember(layer: nn.Module, norm: Any) -> None:
    """Writes down, as a buffer `remembered`, (3, channels), the mean, spread and scale of what goes into a batch norm;
    or, in the convolution that it was folded into, of what comes out of it: there they are β, about |γ|, and |γ|. One
    that was never trained remembers nothing."""
    if not norm.running_mean.any() and bool((norm.running_var == 1).all()):
        return
    mean, spread, scale = norm.running_mean, norm.running_var.sqrt(), (norm.running_var + norm.eps).sqrt()
    gain = torch.ones_like(mean) if getattr(norm, "weight", None) is None else norm.weight.detach().abs()
    shift = torch.zeros_like(mean) if getattr(norm, "bias", None) is None else norm.bias.detach()
    if layer is not norm:
        mean, spread, scale = shift, gain * spread / scale, gain
    # A channel that its gain makes constant, but for rounding, tells nothing.
    scale = scale.masked_fill(gain <= 1e-4 * (1 + shift.abs()), torch.inf)
    layer.register_buffer("remembered", torch.stack([mean, spread, scale]), persistent=False)


@contextmanager
def heard(layers: Iterable[tuple[nn.Module, Callable[..., None]]]) -> Iterator[None]:
    """Inside, each function is told what its layer does: the layer, what goes into it, what comes out. What another
    thread does with the same network meanwhile it is not told."""
    thread = get_ident()

    def told(hear: Callable[..., None]) -> Callable[..., None]:
        return lambda *seen: hear(*seen) if get_ident() == thread else None

    with ExitStack() as hooks:
        for layer, hear in layers:
            hooks.enter_context(layer.register_forward_hook(told(hear)))
        yield


@contextmanager
def watched(network: nn.Module, views: int, batch: int, wanted: bool = True) -> Iterator[list[Activations]]:
    """Inside, every batch norm that runs adds what it sees of so many views of so many images; if that is wanted."""
    seen: list[Activations] = []
    versions: list[tuple[Any, Tensor, int]] = []

    def keep(layer: Any, inputs: tuple[Any, ...], output: Any) -> None:
        values = inputs[0] if hasattr(layer, "running_mean") else output
        if len(values) == views * batch and values.ndim > 2:  # of one place there is no spread
            versions.append((layer, values, values._version))
            values = values.clone() if hasattr(layer, "is_written_over") else values
            seen.append(Activations(values.float().unflatten(0, (views, batch)), *layer.remembered.float()))

    with heard((layer, keep) for layer in network.modules() if wanted and hasattr(layer, "remembered")):
        yield seen
    for layer, values, version in versions:
        if values._version != version:  # by what comes later in the network: from now on a copy is kept
            layer.is_written_over = True
