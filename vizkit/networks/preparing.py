"""The module that a person passes: what is meant by it, and a frozen and fast copy."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.nn.parameter import is_lazy
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils._pytree import tree_leaves

from ..errors import VizkitError
from .activations import batch_norms, remember


def as_module(given: object) -> nn.Module:
    """The module itself, out of what wraps it; or an error that says what to pass in place of it."""
    if isinstance(given, ExportedProgram):
        given = given.module()
    if isinstance(given, nn.Module):
        module = unwrapped(given)
        for value in (*module.parameters(), *module.buffers()):
            if is_lazy(value) or value.is_meta:
                remedy = "Of lazy layers: run one image through it first. On the device meta: make it on the CPU."
                raise VizkitError(f"{name_of(module)} has no weights yet. {remedy}")
        return module
    what = f'"{given}"' if isinstance(given, (str, Path)) else getattr(given, "__name__", type(given).__name__)
    remedy = "Call a class to make one; vizkit.load(name) loads one; vizkit.load_weights(cnn, path) fills one."
    raise VizkitError(f"A Classifier takes a torch.nn.Module, not {what}. {remedy}")


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside torch.compile's or DataParallel's."""
    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    inner = module.module if isinstance(module, parallel) else getattr(module, "_orig_mod", None)
    return unwrapped(inner) if isinstance(inner, nn.Module) else module


def name_of(module: nn.Module) -> str:
    """The name of its class; that of TorchScript's original."""
    return str(getattr(module, "original_name", type(module).__name__))


def prepared(module: nn.Module, device: torch.device | None = None, hooks: bool = False) -> nn.Module:
    """A frozen copy of the module in eval mode, without the caller's hooks unless they are part of it: on the device,
    in float32; or, without a device, where and in what precision it is."""

    def ours(value: Tensor) -> Tensor:
        dtype = torch.float32 if device and value.is_floating_point() else value.dtype
        return value.detach().to(device or value.device, dtype, copy=True)

    try:
        # Tensors that a layer keeps as plain attributes: .to() would leave them where and what they are.
        kept = {id(v): ours(v) for layer in module.modules() for v in vars(layer).values() if isinstance(v, Tensor)}
        with torch.no_grad():  # or else the parameters of a TorchScript copy are results, which cannot be frozen
            network = copy.deepcopy(module, kept)
    except Exception as error:
        raise VizkitError(f"{name_of(module)} cannot be copied. Fill a fresh one, and pass that. {error}") from error
    for layer in list(network.modules()):
        for those in (layer._backward_hooks, layer._backward_pre_hooks, *([] if hooks else [layer._forward_hooks])):
            those.clear()
        for key, hook in list(layer._forward_pre_hooks.items()):
            # weight norm and the like live in pre-hooks
            if not hooks and not type(hook).__module__.startswith("torch.nn.utils"):
                del layer._forward_pre_hooks[key]
        for name, child in list(layer.named_children()):
            if unwrapped(child) is not child:
                layer._modules[name] = unwrapped(child)
    for parameter in network.parameters():  # one by one: TorchScript has no requires_grad_ for all
        parameter.requires_grad_(False).grad = None
    with suppress(NotImplementedError):  # an exported program has no modes
        network.eval()
    network = network.float().to(device) if device else network
    for norm in batch_norms(network):
        remember(norm, norm)
    return network


@contextmanager
def nothing_else_runs(network: nn.Module) -> Iterator[None]:
    """Raises `VizkitError` as soon as a layer is about to run that is not the network's, but for one without weights:
    what its forward reaches in a closure, say, is no copy."""
    thread, usual = get_ident(), vars(nn.Module())
    # What lies in plain lists and dicts, of which torch does not know, is its own, too.
    held = [vars(layer)[name] for layer in network.modules() for name in vars(layer).keys() - usual.keys()]
    known = [one for one in [network, *tree_leaves(held)] if isinstance(one, nn.Module)]
    own = {id(layer) for one in known for layer in one.modules()}

    def check(layer: nn.Module, _: Any) -> None:
        has_weights = any(one is not None for one in (*layer._parameters.values(), *layer._buffers.values()))
        if has_weights and id(layer) not in own and get_ident() == thread:
            what = f"{name_of(network)} runs a layer that it does not hold, {name_of(layer)}"
            raise VizkitError(f"{what}. Make it an attribute of the module, self.layer = …, and call that.")

    with register_module_forward_pre_hook(check):
        yield


def out_of_place(network: nn.Module) -> nn.Module:
    """The network, none of whose layers writes over its input."""
    for layer in network.modules():
        if vars(layer).get("inplace") is True:
            vars(layer)["inplace"] = False
    return network


def folded(network: nn.Module) -> nn.Module:
    """
    The network, faster: each batch norm that follows a convolution in a plain Sequential is now part of its weights,
    and no layer writes over its input, which autograd would have to copy first.
    """
    for block in out_of_place(network).modules():
        if not isinstance(block, nn.Sequential) or type(block).forward is not nn.Sequential.forward:
            continue
        for index, (first, second) in enumerate(pairwise(list(block))):
            # None with a forward of its own, or a weight that is computed anew.
            plain = (type(first), type(second)) == (nn.Conv2d, nn.BatchNorm2d) and not first._forward_pre_hooks
            if plain and second.track_running_stats and "forward" not in {*vars(first), *vars(second)}:
                fused = fuse_conv_bn_eval(first, second).requires_grad_(False)  # type: ignore[type-var, arg-type]
                remember(fused, second)
                block[index], block[index + 1] = fused, Folded(first, second).eval()
    return network


class Folded(nn.Identity):
    """In place of a batch norm that is now part of the convolution before it; it keeps both as they were."""

    def __init__(self, *pair: nn.Module) -> None:
        super().__init__()
        self.pair = pair


def unfolded(network: nn.Module) -> nn.Module:
    """A copy of a network that may have been folded, each layer of which puts out what it did before."""
    network = copy.deepcopy(network)
    for block in [one for one in network.modules() if isinstance(one, nn.Sequential)]:
        for index, layer in enumerate(block):
            if isinstance(layer, Folded):
                block[index - 1], block[index] = layer.pair
    return network
