"""The module that a person passes: what is meant by it, a frozen and fast copy, and the class scores in its output."""

import copy
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.nn.parameter import is_lazy
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..errors import VizkitError

Scores = str | int | Callable[[Any], Tensor]  # which part of the output the class scores are


def as_module(given: object) -> nn.Module:
    """The module itself, out of what wraps it; or an error that says what to pass in place of it."""
    if isinstance(given, ExportedProgram):
        given = given.module()
    if isinstance(given, nn.Module):
        module = unwrapped(given)
        for value in (*module.parameters(), *module.buffers()):
            if is_lazy(value):
                raise VizkitError(f"{name_of(module)} has lazy layers without weights: run one image through it first.")
            if value.is_meta:
                raise VizkitError(
                    f"{name_of(module)} is on the device meta, without weights: make it with device='cpu', "
                    "fill it, vizkit.load_weights(cnn, path), and pass that."
                )
        return module
    if isinstance(given, str) and not Path(given).suffix:
        raise VizkitError(f'"{given}" is a name, not a network: vizkit.load("{given}") loads a network by its name.')
    if isinstance(given, (str, Path)):
        raise VizkitError(
            f'"{given}" is a file, not a network: make the network, fill it, '
            f'vizkit.load_weights(cnn, "{given}"), and pass cnn.'
        )
    if isinstance(given, Mapping):
        raise VizkitError(
            f"This {type(given).__name__} holds weights, not the network: make the network, fill it, "
            "cnn.load_state_dict(weights) or, from a file, vizkit.load_weights(cnn, path), and pass cnn."
        )
    if isinstance(given, type):
        raise VizkitError(f"{given.__name__} is a class: pass a network that it makes, {given.__name__}(…).")
    raise VizkitError(
        f"A Classifier takes a torch.nn.Module, not {type(given).__name__}: a function goes into the forward of one."
    )


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside torch.compile's or DataParallel's."""
    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    inner = module.module if isinstance(module, parallel) else getattr(module, "_orig_mod", None)
    return unwrapped(inner) if isinstance(inner, nn.Module) else module


def name_of(module: nn.Module) -> str:
    """The name of its class; that of TorchScript's original."""
    is_script = isinstance(module, torch.jit.ScriptModule)
    return str(getattr(module, "original_name", "")) if is_script else type(module).__name__


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
        raise VizkitError(
            f"{name_of(module)} cannot be copied ({error}). Load its state dict into a fresh one and pass that."
        ) from error
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
    """A copy in which each batch norm that follows a convolution in a plain Sequential is part of its weights."""
    result = copy.deepcopy(network)
    for block in result.modules():
        if not isinstance(block, nn.Sequential) or type(block).forward is not nn.Sequential.forward:
            continue
        for index in range(len(block) - 1):
            first, second = block[index], block[index + 1]
            if not isinstance(first, nn.Conv2d) or not isinstance(second, nn.BatchNorm2d):
                continue
            plain = type(first) is nn.Conv2d and not first._forward_pre_hooks  # its weight is not computed anew
            if plain and second.track_running_stats:
                block[index], block[index + 1] = fuse_conv_bn_eval(first, second), nn.Identity().eval()
    for parameter in result.parameters():
        parameter.requires_grad_(False)
    return result


def advice(network: nn.Module, channels: int, height: int, width: int) -> str:
    """How to make a program anew so that it fits; nothing for a module of layers."""
    if any(_is_exported(layer) for layer in network.modules()):
        return (
            " Export it in eval mode for any batch: torch.export.export(cnn.eval(), "
            f'(torch.zeros(2, {channels}, {height}, {width}),), dynamic_shapes=({{0: torch.export.Dim("batch")}},)).'
        )
    if any(isinstance(layer, torch.jit.ScriptModule) for layer in network.modules()):
        return " Pass the network itself, or torch.jit.script(cnn.eval())."
    return ""


def _is_exported(layer: nn.Module) -> bool:
    graph = layer.graph if isinstance(layer, torch.fx.GraphModule) else None
    return graph is not None and any(isinstance(node.target, torch._ops.OpOverload) for node in graph.nodes)


def climb(network: Callable[[Tensor], Tensor], pair: Tensor, name: str, how_to: str) -> tuple[Tensor, Tensor]:
    """The scores of two pictures, and the gradient of their sum, some weighing more than others."""
    gradient, cause = None, None
    with torch.enable_grad():
        image = pair.clone().requires_grad_()
        try:
            scores = network(image)
            if scores.requires_grad:
                weights = torch.linspace(1, 2, scores.shape[1]).to(scores)  # not all alike: a softmax adds up to 1
                (gradient,) = torch.autograd.grad((weights * scores).sum(), image, allow_unused=True)
        except Exception as error:
            cause = error
    if cause is not None or scores.shape[0] != 2:
        try:
            with torch.no_grad():
                is_pair = network(pair).shape[0] == 2
        except Exception as error:
            is_pair, cause = False, error
        if not is_pair:
            how_to = how_to or " Has its forward a fixed batch size?"
            reason = f" It said: {said(cause)}" if cause else ""
            raise VizkitError(f"{name} takes one image, but not two at once.{how_to}{reason}") from cause
    if gradient is None:
        reason = f" It said: {said(cause)}" if cause else ""
        raise VizkitError(
            f"No gradient comes back from the scores of {name} to the image: its forward cuts it off, with "
            f"torch.no_grad, detach, argmax, numpy or quantised layers. Pass a network without them.{reason}"
        ) from cause
    return scores.detach(), gradient


def close(scores: Tensor, other: Tensor) -> bool:
    """Whether they are the same, up to rounding."""
    return torch.allclose(scores, other, rtol=1e-3, atol=1e-3 * float(other.abs().max()))


def probability(scores: Tensor) -> str | None:
    """What the scores are where they have been through a softmax."""
    if scores.shape[1] > 1:
        for kind, values in (("probabilities", scores), ("log-probabilities", scores.exp())):
            if (values >= 0).all() and torch.allclose(values.sum(dim=1), torch.ones(len(values)).to(values), atol=1e-4):
                return kind
    return None


def said(error: BaseException) -> str:
    """The last line, where TorchScript has the reason."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:300]


def pick_scores(output: Any, scores: Scores | None, name: str, classes: int | None = None) -> Tensor:
    """The class scores in what the network called `name` returns; an error that says what there is to pick."""
    if isinstance(output, Tensor) and not callable(scores):
        if scores is None:
            return output
        raise VizkitError(f"{name} returns one tensor {tuple(output.shape)}, nothing to pick from: leave out scores=.")
    if scores is None:
        raise VizkitError(
            f"{name} returns {_described(output)}, not one tensor of class scores: {_suggestion(output, classes)}."
        )
    try:
        if callable(scores):
            picked = scores(output)
        elif isinstance(scores, str) and not isinstance(output, Mapping):
            picked = getattr(output, scores)
        else:
            picked = output[scores]
    except Exception as error:
        said = f" ({error})" if callable(scores) else ""
        raise VizkitError(
            f"scores={_shown(scores)} fits nothing in what {name} returns{said}, {_described(output)}: "
            f"{_suggestion(output, classes)}."
        ) from error
    if not isinstance(picked, Tensor):
        raise VizkitError(
            f"scores={_shown(scores)} picks {_kind(picked)}, not a tensor, from what {name} returns, "
            f"{_described(output)}: {_suggestion(output, classes)}."
        )
    return picked


def _parts(output: Any) -> dict[Any, Any]:
    if isinstance(output, Mapping):
        return dict(output)
    if isinstance(output, (tuple, list)):
        return dict(enumerate(output))
    return {key: value for key, value in getattr(output, "__dict__", {}).items() if not key.startswith("_")}


def _described(output: Any) -> str:
    """Such as: a dict with logits (1, 10), features (1, 64)."""
    if isinstance(output, Tensor):
        return f"a tensor {tuple(output.shape)}"
    mark = ":" if isinstance(output, (tuple, list)) else ""
    parts = [
        f"{key}{mark} {tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__}"
        for key, value in _parts(output).items()
    ]
    return f"{_kind(output)} with {', '.join(parts)}" if parts else _kind(output)


def _suggestion(output: Any, classes: int | None) -> str:
    """What to pass: the part of shape (1, classes) for one image."""
    fitting = [
        key
        for key, value in _parts(output).items()
        if isinstance(value, Tensor) and value.ndim == 2 and len(value) == 1 and classes in (None, value.shape[1])
    ]
    if len(fitting) > 1:
        fitting = [key for key in fitting if key in ("logits", "scores")] or fitting
    if len(fitting) == 1:
        return f"pass scores={_shown(fitting[0])}"
    if fitting:
        return f"pass scores= with the one to take, such as scores={_shown(fitting[0])}"
    return "pass scores= with a function that makes class scores, (batch, classes), of it"


def _shown(scores: Any) -> str:
    return f'"{scores}"' if isinstance(scores, str) else str(getattr(scores, "__name__", scores))


def _kind(value: Any) -> str:
    name = type(value).__name__
    return f"an {name}" if name[0] in "AEIOUaeiou" else f"a {name}"
