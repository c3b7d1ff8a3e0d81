"""From images to class scores, and what stops a wrong picture: a look at four pictures tells whether a copy is the
network, and can be climbed."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import VizkitError, warn
from .preparing import folded, nothing_else_runs, prepared

Scores = str | int | Callable[[Any], Tensor]  # which part of the output the class scores are

# What autograd calls the last operation: those that squash raw scores, those that can, and those that only give them
# another shape.
SQUASHES = ("Sigmoid", "Hardsigmoid", "LogSigmoid", "Tanh", "Softmax", "LogSoftmax")
MAY_SQUASH = ("Mul", "Div", "Reciprocal", "Clamp", "Minimum", "Maximum", "Where", "Atan", "Erf", "Exp")
SHAPES = ("View", "ReshapeAlias", "UnsafeView", "Squeeze", "Unsqueeze", "Transpose", "T", "Permute", "Clone", "ToCopy")


@dataclass(frozen=True)
class Scorer:
    """From zero-centred images, (batch, channels, height, width), to class scores: a prepared network, and how."""

    network: nn.Module
    name: str
    pick: Scores | None = None
    layout: torch.memory_format = torch.contiguous_format

    def __post_init__(self) -> None:
        self.network.to(memory_format=self.layout)

    def __call__(self, image: Tensor) -> Tensor:
        like = self._like(image)
        # A copy: some modules change what they are given.
        given = image.to(like.device, like.dtype).clone(memory_format=self.layout)
        return pick_scores(self.network(given), self.pick, self.name).to(image.device, image.dtype)

    @property
    def rounding(self) -> float:
        """What rounding makes of a score, about: more in half precision, and on a GPU, which multiplies ten bits."""
        like = self._like(torch.empty(0))
        return 0.05 if like.dtype.itemsize < 4 else 1e-6 if like.device.type == "cpu" else 1e-4

    def _like(self, image: Tensor) -> Tensor:
        """A weight, which has the device and the precision; the image where there is none."""
        return next((one for one in self.network.parameters() if one.is_floating_point()), image)


def pick_scores(output: Any, scores: Scores | None, name: str) -> Tensor:
    """The class scores in what the network called `name` returns; an error that says what there is to pick."""
    if scores is None and isinstance(output, Mapping):
        output = getattr(output, "logits", output)  # as every classifier of transformers names them
    if isinstance(output, Tensor) and scores is None:
        return output
    picked, cause = None, None
    try:
        if callable(scores):
            picked = scores(output)
        elif isinstance(scores, str) and not isinstance(output, (Mapping, Tensor)):
            picked = getattr(output, scores)
        elif not isinstance(output, Tensor):
            picked = output[scores]
    except Exception as error:
        cause = error
    if isinstance(picked, Tensor):
        return picked
    parts = dict(enumerate(output)) if isinstance(output, (tuple, list)) else output
    parts = parts if isinstance(parts, Mapping) else getattr(output, "__dict__", {})
    shapes = {key: tuple(getattr(part, "shape", ())) or type(part).__name__ for key, part in parts.items()}
    fitting = [key for key, part in parts.items() if isinstance(part, Tensor) and part.ndim == 2]
    fitting.sort(key=lambda key: key not in ("logits", "scores"))
    either = " or ".join(json.dumps(key, default=str) for key in fitting) or "… with a function of it"
    what, remedy = f"{type(output).__name__} {shapes}", f"pass scores={either}"
    if isinstance(output, Tensor):
        what, remedy = f"one tensor {tuple(output.shape)}", "leave out scores="
    why = f" ({cause!r})" if callable(scores) and cause else ""
    what = f"{what}. With scores={scores!r} there are no class scores in it{why}"
    raise VizkitError(f"{name} returns {what}: {remedy}.") from cause


def probes(shape: tuple[int, int, int]) -> Tensor:
    """Four pictures in [0, 1], (4, *shape): noise; black and white; smooth; flat. The first two are for the gradient:
    the others lie where the slope of a ReLU jumps."""
    generator = torch.Generator().manual_seed(0)
    noise, coarse, extreme = torch.rand((3, *shape), generator=generator)[:, None]
    smooth = F.interpolate(coarse[..., :3, :3], size=shape[1:], mode="bilinear", align_corners=False)
    return torch.cat([noise, extreme.round(), smooth, coarse.mean(dim=(2, 3), keepdim=True).expand_as(noise)])


def guarded(truth: Scorer, pictures: Tensor) -> tuple[Scorer, Tensor]:
    """
    The scorer, as fast as it can be without other scores, and which classes can be climbed, (classes,). `truth`: the
    network as it is; `pictures`: zero-centred, four.

    Raises `VizkitError` where it is no classifier that can be climbed; warns where it is a doubtful one.
    """
    true, climbable, alone, again = scores_of_a_function(truth, pictures)
    finite = true.nan_to_num(neginf=0.0)
    spread = finite.amax(dim=0) - finite.amin(dim=0)
    clear = climbable & (spread > 1e-5 * finite.abs().amax(dim=0))  # of a class at -1e9, say, nothing is left to see
    clear = clear if clear.any() else climbable
    scorer, scores, gradient, last = faithful(truth, pictures, true, spread, clear)

    if alone.device.type == "cpu" and not torch.equal(again, alone):
        warn(f"{scorer.name} scores one picture a little otherwise each time: no seed repeats it to the bit.")
    is_alone = close(true[:1], alone, spread, max(truth.rounding, 1e-5))
    if not is_alone:
        what = "otherwise when another is beside it: class models of one batch will depend on each other"
        warn(f"{scorer.name} scores a picture {what}.{advice(scorer.network)}")
    if not gradient.any():
        warn(f"No score of {scorer.name} changes with the image. Does its forward round, or compare?")
    elif is_alone and not rises(scorer, pictures[:2], scores, gradient, clear):
        why = "Does its forward hold back a part, torch.no_grad, round, or have a backward of its own?"
        warn(f"The gradient of {scorer.name} is not that of its scores: they do not rise along it. {why}")
    if not callable(scorer.pick) and (kind := squashed(scorer, pictures, true, last)):
        remedy = "Take the softmax or sigmoid off its end, or pick the raw scores before it, scores=…."
        warn(f"The scores of {scorer.name} are {kind}. {remedy}")
    return scorer, climbable


def scores_of_a_function(truth: Scorer, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The scores of all pictures, and which are not masked; those of the first alone, and the same once more. They are
    checked to be scores."""
    chance = chances()
    alone, pair = scores_of(truth, pictures[:1]), scores_of(truth, pictures[:2])
    check_shape(truth, alone, pair)
    true = torch.cat([pair, scores_of(truth, pictures[2:])])
    climbable = (true != -torch.inf).any(dim=0)
    if not true[:, climbable].isfinite().all() or not climbable.any():
        raise VizkitError(f"{truth.name} gives scores that are not finite. Did its training diverge?")
    for _ in range(1 if chances() == chance else 12):  # what tosses a coin may fall the same way twice
        again = scores_of(truth, pictures[:1])
        if not close(again, alone, true.nan_to_num(neginf=0.0).std(dim=0), 1e-8):
            hint = "its forward draws or remembers. Dropout has to know the mode: F.dropout(x, training=self.training)."
            raise VizkitError(f"{truth.name} scores one picture in different ways: {hint}{advice(truth.network)}")
    return true, climbable, alone, again


def chances() -> tuple[Any, ...]:
    """What the generators of chance would draw next: other after than before where a forward has drawn."""
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), str(np.random.get_state())


def faithful(
    truth: Scorer, pictures: Tensor, true: Tensor, spread: Tensor, clear: Tensor
) -> tuple[Scorer, Tensor, Tensor, str]:
    """The fastest copy that gives the true scores and a gradient; and of the first two pictures what `climb` gives."""
    trouble = VizkitError(f"No copy of {truth.name} gives the scores that it gives itself.")
    for scorer in variants(truth, pictures.device):
        try:
            scores, gradient, last = climb(scorer, pictures[:2], clear)
            with torch.no_grad():
                theirs = torch.cat([scores, scorer(pictures[2:])])
        except Exception as error:
            trouble = error if isinstance(error, VizkitError) else trouble
            continue
        if close(theirs, true, spread, max(truth.rounding, scorer.rounding)):
            break
    else:
        raise trouble
    if not gradient.isfinite().all():
        hint = "is not finite. Has its forward a root, a norm or a logarithm of zero? Add a small number inside."
        raise VizkitError(f"The gradient of {scorer.name} {hint}")
    return scorer, scores, gradient, last


def scores_of(scorer: Scorer, images: Tensor) -> Tensor:
    """The class scores, of nothing but the network itself; an error that says what it cannot take."""
    try:
        with torch.no_grad(), nothing_else_runs(scorer.network):
            return scorer(images)
    except VizkitError:
        raise
    except Exception as error:
        channels = first_convolution(scorer.network)
        hint = f" Its first convolution takes {channels} channel(s)." if channels else ""
        what = f"cannot take an image of shape {tuple(images.shape)}.{hint} Check size, mean and std."
        what = what if len(images) == 1 else "takes one image, but not two at once."
        raise VizkitError(f"{scorer.name} {what}{advice(scorer.network)} It said: {said(error)}") from error


def check_shape(scorer: Scorer, alone: Tensor, pair: Tensor) -> None:
    """Raises `VizkitError` where what comes out, of one picture and of two, is no table of class scores."""
    if alone.ndim == 2 and len(alone) == 1 and pair.shape == (2, alone.shape[1]):
        return
    shapes, remedy = (tuple(alone.shape), tuple(pair.shape)), " Is the last layer missing, or the size another?"
    if shapes[1][:1] == (2,) and pair.ndim < 3 and shapes[0] in (shapes[1][1:], (1, *shapes[1][1:])):
        remedy = f" A dimension was squeezed away: scores=lambda s: s.reshape(-1, {pair[0].numel()})."
    elif pair.shape == alone.shape:
        remedy = advice(scorer.network)
    what = "returns shape {} for one image, {} for two".format(*shapes)
    raise VizkitError(f"{scorer.name} {what}; class scores are (images, classes).{remedy}")


def variants(truth: Scorer, device: torch.device) -> Iterator[Scorer]:
    """Copies that may give the same scores, the fastest first: folded, plain, with hooks, in their own precision."""
    ways = ((device, False, True), (device, False, False), (device, True, False), (None, True, False))
    for (where, hooks, fold), layout in product(ways, (torch.channels_last, torch.contiguous_format)):
        with suppress(Exception):  # weights of five dimensions have no such layout; a view() wants the other
            network = prepared(truth.network, where, hooks).to(device)
            yield Scorer(folded(network) if fold else network, truth.name, truth.pick, layout)


def takes(scorer: Scorer, image: Tensor, classes: int | None = None) -> bool:
    """Whether the network gives scores, of so many classes, for an image of this shape, too."""
    try:
        return scores_of(scorer, image).shape[1:] == (classes,) or classes is None
    except Exception:
        return False


def climb(scorer: Scorer, pair: Tensor, those: Tensor) -> tuple[Tensor, Tensor, str]:
    """The scores of two pictures, the gradient of those classes, weighed, and what autograd calls the operation that
    the scores come from."""
    image, gradient, reason, last = pair.clone().requires_grad_(), None, "", ""
    try:
        scores = scorer(image)
        step: Any = scores.grad_fn
        while step is not None and last in ("", *SHAPES):  # back through what only changes the shape
            last = step.name().split("Backward")[0]
            step = step.next_functions[0][0] if step.next_functions else None
        if scores.requires_grad:
            (gradient,) = torch.autograd.grad(weighed(scores, those).sum(), image, allow_unused=True)
    except VizkitError:
        raise
    except Exception as error:
        reason = f" It said: {said(error)}"
    if gradient is None:
        hint = "its forward cuts it off, with torch.no_grad, detach, argmax, numpy or quantised layers."
        raise VizkitError(f"No gradient comes back from the scores of {scorer.name}: {hint}{reason}")
    return scores.detach(), gradient, last


def weighed(scores: Tensor, those: Tensor) -> Tensor:
    """Those classes as one number a picture; they weigh differently, as a softmax adds up to 1 whatever the picture."""
    return scores[:, those] @ torch.linspace(1, 2, int(those.sum())).to(scores)


def rises(scorer: Scorer, pair: Tensor, scores: Tensor, gradient: Tensor, those: Tensor) -> bool:
    """Whether a step of one length or another raises the scores of each picture as far as the gradient promises. Not
    along it, but nearly at right angles, by chance: what the gradient leaves out is not along it either."""
    slope, share = _length(gradient), 2 / gradient[0].numel() ** 0.5  # as much along it as makes it tell
    uphill, aside = gradient / slope, torch.randn(gradient.shape, generator=torch.Generator().manual_seed(0)).to(pair)
    aside -= (aside * uphill).sum(dim=(1, 2, 3), keepdim=True) * uphill
    step, promised = aside / _length(aside) + share * uphill, share * slope.flatten()
    least = 2 * scorer.rounding * weighed(scores.abs(), those) + 1e-20  # less is rounding: nobody can tell
    kept = (10 * promised <= least) | (scorer.rounding > 1e-3)  # a longer step is no small one
    for length in (1.0, 0.1, 10.0, 0.01, 1e-3, 100.0):
        if not kept.all():
            with torch.no_grad():
                rise = weighed(scorer(pair + length * step) - scores, those) / length
            kept |= (length * promised > least) & (rise > 0.5 * promised) & (rise < 2 * promised)
    return bool(kept.all())


def _length(images: Tensor) -> Tensor:
    """Of each image, (batch, 1, 1, 1); never zero."""
    return images.flatten(1).norm(dim=1).clamp(min=1e-30)[:, None, None, None]


def close(scores: Tensor, other: Tensor, spread: Tensor, rounding: float) -> bool:
    """Whether they are the same, class by class, by how much a score differs between pictures, and up to rounding."""
    size = other.abs().nan_to_num(posinf=0.0)
    far = 1e3 * rounding * spread + 2 * rounding * (size + size.quantile(0.1, interpolation="lower"))
    return bool((((scores - other).abs() <= far) | (scores == other)).all())


def squashed(scorer: Scorer, pictures: Tensor, true: Tensor, last: str) -> str:
    """What the scores are where they have been through a softmax, a sigmoid or the like; nothing for raw ones. `last`
    is the operation that they come from."""
    if true.shape[1] > 1:
        for kind, values in (("probabilities", true), ("log-probabilities", true.exp())):
            if (values >= 0).all() and torch.allclose(values.sum(dim=1), torch.ones(len(values)).to(values), atol=1e-4):
                return kind
    if last in SQUASHES:
        return f"what a {last.lower()} makes of raw ones"
    if last not in MAY_SQUASH or not ((true >= 0) & (true <= 1)).all():
        return ""
    with torch.no_grad():  # raw ones would grow
        strong = scorer(1000 * pictures[:2])
    return "kept between 0 and 1" if ((strong >= 0) & (strong <= 1)).all() else ""


def first_convolution(network: nn.Module) -> int | None:
    """The channels that it takes; of a program, which has no layers, those of the first such weight."""
    of_layers = (layer.in_channels for layer in network.modules() if isinstance(layer, nn.Conv2d))
    of_weights = (int(weight.shape[1]) for weight in network.parameters() if weight.ndim == 4)
    return next(of_layers, None) or next(of_weights, None)


def advice(network: nn.Module) -> str:
    """What may make scores depend on the batch, or keep it from being another."""
    programs = (torch.jit.ScriptModule, torch.fx.GraphModule)
    if any(isinstance(layer, programs) for layer in network.modules()):
        how = "torch.export.export(cnn.eval(), …, dynamic_shapes=…)"
        return f" Pass the network, or a program made for any batch: {how}."
    return " Has its forward a fixed batch size, or a layer that works as in training?"


def said(error: BaseException | None) -> str:
    """The last line, where TorchScript has the reason."""
    return (str(error or "").strip().splitlines() or [type(error).__name__])[-1][:300]
