"""The module that a person passes: what is meant by it, and a frozen and fast copy."""

import copy
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.nn.parameter import is_lazy
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..errors import VizkitError


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


def first_convolution(module: nn.Module) -> int | None:
    """The channels that it takes; of a program, which has no layers, those of the first such weight."""
    of_layers = (layer.in_channels for layer in module.modules() if isinstance(layer, nn.Conv2d))
    of_weights = (int(weight.shape[1]) for weight in module.parameters() if weight.ndim == 4)
    return next(of_layers, None) or next(of_weights, None)


def prepared(module: nn.Module, device: torch.device) -> nn.Module:
    """A copy of the module on the device, in eval mode, frozen, in float32, without the caller's hooks."""

    def ours(value: Tensor) -> Tensor:
        return value.detach().to(device, torch.float32 if value.is_floating_point() else value.dtype, copy=True)

    try:
        # Tensors that a layer keeps as plain attributes: .to() would leave them where and what they are.
        kept = {id(v): ours(v) for layer in module.modules() for v in vars(layer).values() if isinstance(v, Tensor)}
        with torch.no_grad():  # or else the parameters of a TorchScript copy are results, which cannot be frozen
            network = copy.deepcopy(module, kept)
    except Exception as error:
        raise VizkitError(f"{name_of(module)} cannot be copied. Fill a fresh one, and pass that. {error}") from error
    for layer in list(network.modules()):
        for hooks in (layer._forward_hooks, layer._backward_hooks, layer._backward_pre_hooks):
            hooks.clear()
        for key, hook in list(layer._forward_pre_hooks.items()):
            if not type(hook).__module__.startswith("torch.nn.utils"):  # weight norm and the like live in pre-hooks
                del layer._forward_pre_hooks[key]
        for name, child in list(layer.named_children()):
            if unwrapped(child) is not child:
                layer._modules[name] = unwrapped(child)
    for parameter in network.parameters():  # one by one: TorchScript has no requires_grad_ for all
        parameter.requires_grad_(False).grad = None
    with suppress(NotImplementedError):  # an exported program has no modes
        network.eval()
    return network.float().to(device)


def folded(network: nn.Module) -> nn.Module:
    """
    A faster copy: each batch norm that follows a convolution in a plain Sequential is part of its weights, and no layer
    writes over its input, which autograd would have to copy first.
    """
    result = copy.deepcopy(network)
    for block in result.modules():
        if vars(block).get("inplace") is True:
            vars(block)["inplace"] = False
        if not isinstance(block, nn.Sequential) or type(block).forward is not nn.Sequential.forward:
            continue
        for index, (first, second) in enumerate(pairwise(list(block))):
            if type(first) is not nn.Conv2d or first._forward_pre_hooks:  # its weight is computed anew
                continue
            if isinstance(second, nn.BatchNorm2d) and second.track_running_stats:
                block[index], block[index + 1] = fuse_conv_bn_eval(first, second), nn.Identity().eval()
    for parameter in result.parameters():
        parameter.requires_grad_(False)
    return result
