"""What stops a wrong picture: a look at two random pictures tells whether a network can be climbed, and how fast."""

import warnings
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..errors import VizkitError
from .outputs import Scores, pick_scores
from .preparing import first_convolution, folded

PROGRAM = " Pass the network, or a program made for any batch: torch.export.export(cnn.eval(), …, dynamic_shapes=…)."


@dataclass(frozen=True)
class Scorer:
    """From zero-centred images, (batch, channels, height, width), to class scores: a prepared network, and how."""

    network: nn.Module
    name: str
    pick: Scores | None = None
    layout: torch.memory_format = torch.channels_last  # the faster one, mostly

    def __post_init__(self) -> None:
        self.network.to(memory_format=self.layout)

    def __call__(self, image: Tensor) -> Tensor:
        # A copy: some modules change what they are given.
        return pick_scores(self.network(image.clone(memory_format=self.layout)), self.pick, self.name)


def guarded(scorer: Scorer, pair: Tensor) -> tuple[Scorer, int]:
    """
    The scorer, as fast as it can be without other scores, and the number of its classes. `pair`: two pictures.

    Raises `VizkitError` where it is no classifier that can be climbed; warns, two calls up, where it is a doubtful one.
    """
    scorer, alone = look(scorer, pair[:1])
    try:
        fast = replace(scorer, network=folded(scorer.network))
        scores, gradient = climb(fast, pair, alone.shape[1])
        is_exact = close(scores[:1], alone)
    except Exception:
        is_exact = False
    if is_exact:
        scorer = fast
    else:
        scores, gradient = climb(scorer, pair, alone.shape[1])
    if not gradient.isfinite().all():
        hint = "is not finite. Has its forward a root, a norm or a logarithm of zero? Add a small number inside."
        raise VizkitError(f"The gradient of {scorer.name} {hint}")
    doubts = []
    if not is_exact and not close(scores[:1], alone):
        mixed = f"{scorer.name} scores a picture otherwise when another is beside it: a layer works as in training."
        if how_to := advice(scorer.network):
            raise VizkitError(mixed + how_to)
        doubts.append(f"{mixed} Class models of one batch will depend on each other.")
    if not gradient.any():
        doubts.append(f"No score of {scorer.name} changes with the image. Does its forward round, or compare?")
    if not callable(scorer.pick) and (kind := probability(scores)):
        remedy = "Take the softmax off its end, or pick the raw scores before it, scores=…."
        doubts.append(f"The scores of {scorer.name} are {kind}. {remedy}")
    for doubt in doubts:
        warnings.warn(doubt, stacklevel=3)  # where the Classifier is made
    return scorer, alone.shape[1]


def look(scorer: Scorer, image: Tensor) -> tuple[Scorer, Tensor]:
    """The class scores of one picture, and the scorer in the layout that the network can take."""
    for layout in (torch.channels_last, torch.contiguous_format):  # a view() after a convolution wants the usual one
        scorer = replace(scorer, layout=layout)
        try:
            with torch.no_grad():
                scores = scorer(image)
            break
        except VizkitError:
            raise
        except Exception as error:
            cause = error
    else:
        wants = first_convolution(scorer.network)
        hint = f" Its first convolution takes {wants} channel(s)." if wants else ""
        hint = f"{hint} Check size, mean and std.{advice(scorer.network)} It said: {said(cause)}"
        raise VizkitError(f"{scorer.name} cannot take an image of shape {tuple(image.shape)}.{hint}") from cause
    if scores.ndim != 2 or scores.shape[0] != 1:
        hint = "class scores are (1, classes). Is the last layer missing, or the size another?"
        raise VizkitError(f"{scorer.name} returns shape {tuple(scores.shape)} for one image; {hint}")
    if not scores.isfinite().all():
        raise VizkitError(f"{scorer.name} gives scores that are not finite. Did its training diverge?")
    return scorer, scores


def takes(scorer: Scorer, image: Tensor, classes: int) -> bool:
    """Whether the network gives scores for an image of this size, too, as those that pool over all places do."""
    try:
        with torch.no_grad():
            return scorer(image).shape == (len(image), classes)
    except Exception:
        return False


def climb(scorer: Scorer, pair: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """The scores of two pictures, and the gradient of their sum, some weighing more than others."""
    gradient, cause = None, None
    with torch.enable_grad():
        image = pair.clone().requires_grad_()
        try:
            scores = scorer(image)
            if scores.requires_grad:
                weights = torch.linspace(1, 2, scores.shape[1]).to(scores)  # not all alike: a softmax adds up to 1
                (gradient,) = torch.autograd.grad((weights * scores).sum(), image, allow_unused=True)
        except Exception as error:
            cause = error
    reason = f" It said: {said(cause)}" if cause else ""
    if (cause or scores.shape[0] != 2) and not takes(scorer, pair, classes):
        how_to = advice(scorer.network) or " Has its forward a fixed batch size?"
        raise VizkitError(f"{scorer.name} takes one image, but not two at once.{how_to}{reason}") from cause
    if gradient is None:
        hint = "its forward cuts it off, with torch.no_grad, detach, argmax, numpy or quantised layers."
        raise VizkitError(f"No gradient comes back from the scores of {scorer.name}: {hint}{reason}") from cause
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


def advice(network: nn.Module) -> str:
    """How to make a program anew so that it fits; nothing for a module of layers."""
    programs = (torch.jit.ScriptModule, torch.fx.GraphModule)
    return PROGRAM if any(isinstance(layer, programs) for layer in network.modules()) else ""


def said(error: BaseException) -> str:
    """The last line, where TorchScript has the reason."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:300]
