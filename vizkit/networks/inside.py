"""What lies on the way to the class scores: the layers of a network, each with its units."""

from contextlib import suppress
from math import isqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from ..errors import VizkitError
from .activations import heard
from .preparing import out_of_place

# Activations that hold a unit at a constant, where it has no gradient: what goes into them is climbed.
FLAT = (nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid)
LAST = (nn.Linear, nn.LayerNorm)  # whose channels are the last axis; what is made of these classes may differ


class _Reached(BaseException):
    """Ends a forward pass: no `except Exception` in a network stops it."""


class Inside(nn.Module):
    """A network as far as a layer: from images to the scores of the layer's units, (batch, units). What comes after the
    layer has run, for the first time, is not run; of a layer that ends in an activation, what goes into that counts.

    centre: the one neuron of each unit in the middle, in place of the mean over all places.
    """

    def __init__(self, network: nn.Module, layer: str, centre: bool = False) -> None:
        super().__init__()
        self.network, self.layer, self.centre = out_of_place(network), layer, centre

    def forward(self, image: Tensor) -> Tensor:
        layer = self.network.get_submodule(self.layer)
        last: list[Any] = [None, None]  # what went into the last activation, and what came out
        found: list[Any] = []

        def keep(activation: nn.Module, inputs: Any, output: Any) -> None:
            last[:] = inputs[0], output

        def end(layer: nn.Module, inputs: Any, output: Any) -> None:
            found.append(last[0] if output is last[1] else output)
            raise _Reached

        activations = [(one, keep) for one in layer.modules() if isinstance(one, FLAT)]
        with suppress(_Reached), heard([*activations, (layer, end)]):
            self.network(image)
        return units(found, layer, image, self.centre)


def units(output: Any, layer: nn.Module, image: Tensor, centre: bool = False) -> Tensor:
    """(batch, units): what a layer puts out, as one number a unit. Raises `VizkitError` where that cannot be."""
    values = next((one for one in tree_leaves(output) if isinstance(one, Tensor) and one.is_floating_point()), None)
    if values is None or not 2 <= values.ndim <= 4 or len(values) != len(image):
        raise VizkitError("This layer does not run, or gives no numbers for each image.")
    of_one_axis = type(layer) is nn.Flatten or type(layer).__name__.endswith("1d")
    if of_one_axis or (values.ndim == 4 and not channels_last(values, layer, image)):
        values = values.movedim(1, -1)
    if centre:
        places: tuple[Any, ...] = (slice(None), *middle(values.shape[1:-1]))
        return values[places]
    return values.flatten(1, -2).mean(dim=1) if values.ndim > 2 else values


def channels_last(values: Tensor, layer: nn.Module, image: Tensor) -> bool:
    """Whether (batch, height, width, channels), as in many transformers, or (batch, channels, height, width): the
    places are those two that are shaped like the image."""
    _, first, second, third = values.shape
    aspect = image.shape[-2] / image.shape[-1]
    far = [max(one / aspect, aspect / one) for one in (first / second, second / third)]
    return type(layer) in LAST or far[0] < far[1]


def middle(places: tuple[int, ...]) -> tuple[int, ...]:
    """The place in the middle, of rows and columns; of tokens, the first of which may stand for no place."""
    if len(places) == 2:
        return places[0] // 2, places[1] // 2
    side = isqrt(places[0]) if places else 0
    if not side or places[0] - side * side > 8:
        raise VizkitError('The units of this layer have no rows and columns: take their mean, at="mean".')
    return (places[0] - side * side + side // 2 * side + side // 2,)


def layers(net: Any) -> dict[str, int]:
    """The layers of a `Classifier` that can be climbed, in the order in which they are done, with how many units each
    has."""
    found: dict[str, int] = {}
    names = {layer: name for name, layer in net.network.named_modules() if name}
    image = net.blank(2).requires_grad_()

    def see(layer: nn.Module, inputs: Any, output: Any) -> None:
        name = names[layer]
        if name not in found:
            found[name] = 0  # it is the first time that counts
            with suppress(VizkitError):
                if (values := units(output, layer, image)).requires_grad:
                    found[name] = values.shape[1]

    # A program takes no hooks.
    with heard((layer, see) for layer in names if not isinstance(layer, torch.jit.ScriptModule)):
        net(image)
    return {name: count for name, count in found.items() if count}
