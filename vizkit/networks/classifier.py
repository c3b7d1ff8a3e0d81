"""A trained CNN with all it takes to talk to it: labels, input size, mean and standard deviation; frozen and fast."""

import difflib
import re
import reprlib
import unicodedata
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import VizkitError, check_name, is_whole, warn
from ..own_torch import own_torch
from .activations import watched
from .guards import Scorer, Scores, first_convolution, guarded, probes, takes
from .inside import Inside
from .inside import layers as layers_of
from .libraries import completed
from .preparing import as_module, name_of, prepared, unfolded

Device = str | torch.device | None


class Classifier:
    """
    >>> cnn = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(28 * 28, 2))
    >>> vizkit.Classifier(cnn, labels=["shirt", "shoe"], size=28, mean=(0.286,), std=(0.353,))
    Classifier('Sequential', 2 classes, 1 × 28 × 28)

    A trained CNN and all it takes to talk to it. `module` maps zero-centred images, (batch, channels, height, width),
    to raw class scores, (batch, classes). vizkit works on a copy of it: in eval mode, frozen, in float32, without
    hooks, batch norm folded into the convolutions; the caller's module is not touched. A TorchScript module, an
    exported program and one in torch.compile or DataParallel serve as well.

    labels: the name of every class, in the order of the scores; None numbers them.
    size: the side of the input in pixels, or (height, width).
    mean, std: what the training pictures, in [0, 1], were normalised with: one number a channel, as many as the network
        takes, or a number for all of them. A network that normalises for itself takes mean=0, std=1.
    like: what tells labels, size, mean and std where they are not given: torchvision's weights, such as
        torchvision.models.ResNet18_Weights.DEFAULT, or an image processor of transformers. A network of timm brings
        them along, as does one of transformers that was loaded by its name.
    name: what to call it.
    device: where to run it, such as "cuda", "mps" or "cpu"; None takes CUDA where it is there, or else the CPU.
    scores: where the class scores are if the module returns more than one tensor: a key ("logits"), an index, the name
        of an attribute, or a function of what it returns.

    exclusive: whether a picture is of one class alone, so that their probabilities add up to 1 (softmax); False for a
        network of many labels, of which each has a probability of its own (sigmoid). With one score it is a sigmoid.

    Raises `VizkitError` where these do not fit the module, where it does not return raw class scores, the same ones for
    the same picture, where the copy gives others, or where no gradient comes back from them to the image. Warns where
    the scores are probabilities, do not change with the image or rise along their gradient, or change with the other
    images of the batch.
    """

    measured = "class score"  # what its scores are

    def __init__(
        self,
        module: nn.Module | torch.export.ExportedProgram,
        labels: Iterable[str] | None = None,
        *,
        size: int | Sequence[int] | None = None,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        like: Any = None,
        name: str | None = None,
        device: Device = None,
        scores: Scores | None = None,
        exclusive: bool = True,
    ) -> None:
        given = as_module(module)
        self.name = name or name_of(given)
        self.code = "vizkit.Classifier(...)  # yours"  # the expression that makes it, for code shown to people
        self.device = as_device(device)
        self.exclusive = exclusive
        self.whole: Classifier | None = None  # of the units of a `layer`, the network that this lies in
        self.layer = ""
        with own_torch(), torch.random.fork_rng(devices=[]):
            told = completed(given, self.name, like, {"labels": labels, "size": size, "mean": mean, "std": std})
            self.height, self.width = _as_size(told["size"])
            truth = Scorer(prepared(given, hooks=True), self.name, scores)
            self.mean, self.std = (one.to(self.device) for one in self._per_channel(truth, told["mean"], told["std"]))
            self.channels = self.mean.shape[1]
            self.low, self.high = (0 - self.mean) / self.std, (1 - self.mean) / self.std
            pictures = probes((self.channels, self.height, self.width)).to(self.device)
            self._scorer, self.climbable = guarded(truth, self.normalise(pictures))
            self.network = self._scorer.network  # the frozen copy
            smaller = self.blank()[..., : self.height * 5 // 7, : self.width * 5 // 7]
            self.any_size = takes(self._scorer, smaller, len(self.climbable))
        classes, brought = len(self.climbable), told["labels"]
        if labels is None and brought and len(brought) != classes:
            warn(f"{self.name} gives {classes} scores, but brings {len(brought)} labels: its classes are numbered.")
            brought = None
        self.labels = _as_labels(brought, classes)

    def __repr__(self) -> str:
        size = f"{self.channels} × {self.height} × {self.width}"
        place = "" if self.device.type == "cpu" else f", on {self.device}"
        return f"Classifier({self.name!r}, {len(self.labels)} classes, {size}{place})"

    def __call__(self, image: Tensor) -> Tensor:
        """Raw class scores, (batch, classes), of zero-centred images, (batch, channels, height, width).

        Images of another size are resized first where the network takes only its own.
        """
        return self._scorer(image if self.any_size else self.fitted(image))

    def fitted(self, image: Tensor) -> Tensor:
        """
        >>> net.fitted(torch.zeros(1, 3, 448, 112)).shape
        torch.Size([1, 3, 224, 224])

        Images, (batch, channels, height, width), at the network's own input size: bilinear, antialiased where a side
        shrinks, differentiable; as they are where they have that size.
        """
        return resized(image, (self.height, self.width))

    def blank(self, batch: int = 1) -> Tensor:
        """The zero image, (batch, channels, height, width): mid-grey, or the mean colour."""
        return torch.zeros(batch, self.channels, self.height, self.width, device=self.device)

    def normalise(self, picture: Tensor) -> Tensor:
        """From a picture with values in [0, 1] to what the network takes; (batch, channels, height, width) both."""
        return (picture - self.mean) / self.std

    def denormalise(self, image: Tensor) -> Tensor:
        """Back from a zero-centred image to a picture; in [0, 1] where the image is in the valid range."""
        return image * self.std + self.mean

    @property
    def facts(self) -> dict[str, Any]:
        """What tells it from another network, as plain values: its input, and its labels as one number."""
        numbers = [[round(value, 6) for value in one.flatten().tolist()] for one in (self.mean, self.std)]
        labels = zlib.crc32("\n".join(self.labels).encode())
        return {"input": [self.channels, self.height, self.width], "mean and std": numbers, "labels": labels}

    def probabilities(self, scores: Tensor, log: bool = False) -> Tensor:
        """
        >>> net.probabilities(torch.zeros(1, 1000)).sum()
        tensor(1.0000)

        Of class scores, (…, classes): a softmax, or a sigmoid of each where they are not `exclusive`, or where there is
        one alone; or their logarithms.
        """
        if self.exclusive and scores.shape[-1] > 1:
            return scores.log_softmax(dim=-1) if log else scores.softmax(dim=-1)
        return F.logsigmoid(scores) if log else scores.sigmoid()

    @cached_property
    def remembers(self) -> bool:
        """Whether a batch norm runs in it that has statistics of its training: see `vizkit.natural_statistics`."""
        with own_torch(), torch.no_grad(), watched(self.network, 1, 1) as seen:
            self(self.blank())
        return bool(seen)

    def layers(self) -> dict[str, int]:
        """
        >>> net.layers()["14"]
        192

        The layers that can be climbed (see `inside`), by the module's own names, with the number of their units; in the
        order of the data.
        """
        return dict((self.whole or self)._layers)

    @cached_property
    def _layers(self) -> dict[str, int]:
        with own_torch():
            return layers_of(self)

    def inside(self, layer: str, at: str = "mean") -> "Classifier":
        """
        >>> net.inside("14")
        Classifier('efficientnet_lite0, layer 14', 192 classes, 3 × 224 × 224)

        The units of a layer as classes, "channel 4 of layer 14", of which all can be made that is made of a class (Olah
        et al. 2017, Feature Visualization). What comes after the layer is not run. A score is the unit's mean over all
        places, or tokens; `at` "centre", the one neuron in the middle. Where a layer ends in a ReLU or the like, it is
        what goes into that: a unit that it silences has no gradient. Of a layer that runs several times, the first time
        counts; of several outputs, the first.

        Raises `VizkitError`, with the nearest names, for a layer that is unknown or cannot be climbed (see `layers`).
        """
        whole, name, there = self.whole or self, str(layer), self.layers()
        if name not in there:
            near = ", ".join(difflib.get_close_matches(name, there, n=4, cutoff=0.3)) or "none"
            why = "cannot be climbed" if name in dict(whole.network.named_modules()) else "is no layer"
            raise VizkitError(f'"{name}" {why} of {whole.name}. Nearest that can be: {near}. All: net.layers().')
        check_name("at", at, ("mean", "centre"))
        place, how = (", centre", ', at="centre"') if at == "centre" else ("", "")
        units = Classifier(
            Inside(unfolded(whole.network), name, centre=at == "centre"),
            [f"channel {index} of layer {name}{place}" for index in range(there[name])],
            size=(whole.height, whole.width),
            mean=whole.mean.flatten().tolist(),
            std=whole.std.flatten().tolist(),
            name=f"{whole.name}, layer {name}{place}",
            device=whole.device,
            scores=nn.Identity(),  # they are no probabilities, whatever their layer ends in
            exclusive=False,
        )
        code, yours, _ = whole.code.partition("  #")
        units.code = f'{code}.inside("{name}"{how})' + ("  # yours" if yours else "")
        units.whole, units.layer, units.measured = whole, name, "value of the unit"
        return units

    def find(self, query: str, limit: int | None = None) -> dict[int, str]:
        """
        >>> net.find("flam")
        {130: 'flamingo'}

        The classes whose label contains `query`, case-blind, best first: whole words before beginnings of words, the
        last word of a name before others, as a wolf spider is a spider and a spider monkey none. Or else those of
        nearest spelling.
        """
        wanted, folded = _folded(query), [_folded(label) for label in self.labels]
        word, end = re.escape(wanted), r"\s*(?:[,;(/]|$)"  # the end of a name: a label may have several
        last = word if len(wanted) > 3 else rf"\b{word}"  # a fireboat is a boat, a boathouse none
        whole = rf"^\w+ {word}\b" if wanted.isdecimal() else rf"^{word}$"  # channel 4 of layer 14
        ranks = [re.compile(one) for one in (whole, rf"\b{word}{end}", rf"\b{word}\b", last + end, rf"\b{word}")]

        def rank(index: int) -> tuple[int, int]:
            fits = (place for place, one in enumerate(ranks) if one.search(folded[index]))
            return next(fits, len(ranks)), index

        found = sorted((index for index, label in enumerate(folded) if wanted in label), key=rank)
        if not found:  # among the few that share most pairs of letters: difflib is slow
            pairs = {wanted[at : at + 2] for at in range(len(wanted) - 1)}
            few = sorted(folded, key=lambda label: sum(map(label.__contains__, pairs)), reverse=True)[:200]
            near = difflib.get_close_matches(wanted, few, n=5, cutoff=0.5)
            found = list(dict.fromkeys(index for label in near for index in _positions(label, folded)))
        return {index: self.labels[index] for index in found[:limit]}

    def has(self, query: str) -> bool:
        """
        >>> net.has("flam"), net.has("flamigo")
        (True, False)

        Whether a word of any label begins or ends with `query`: else what `find` gives is a guess.
        """
        part = re.escape(_folded(query))
        return any(re.search(rf"\b{part}|{part}\b", _folded(label)) for label in self.labels)

    def indices(self, targets: Any) -> list[int]:
        """
        >>> net.indices(["flamingo", torch.tensor(131)])
        [130, 131]

        The class indices of one target or of several: labels and indices, in a list, a tensor, an array or whatever
        gives them one by one; those of a set in the order of the classes. Raises `VizkitError` where there is none, or
        where one is no class (see `index`).
        """
        targets = _plain(targets)
        if isinstance(targets, (str, bytes)) or not isinstance(targets, Iterable):
            return [self.index(targets)]
        found = [self.index(target) for target in targets]
        if not found:
            raise VizkitError("No class: the list of targets is empty. Give a label or an index; see net.labels.")
        return sorted(found) if isinstance(targets, (set, frozenset)) else found

    def index(self, target: Any) -> int:
        """
        >>> net.index("Flamingo")
        130

        The class index of a label (case-blind) or an index. Raises `VizkitError`, with the nearest labels, where the
        class is unknown or the label stands for several.
        """
        target = _plain(target)
        if isinstance(target, str):
            # As it is written, or else as it is looked for; or else as one of several names, with commas between.
            wanted, folded = _folded(target), list(map(_folded, self.labels))
            found = _positions(target.strip(), self.labels) or _positions(wanted, folded)
            found = found or [index for index, label in enumerate(folded) if wanted in label.split(", ")]
            if len(found) == 1:
                return found[0]
            near = ", ".join(f"{_spelt(label)} ({index})" for index, label in self.find(target, limit=5).items())
            shown = _spelt(target)
            why = f'"{shown}" stands for several classes. Give an index' if found else f'No class "{shown}". Nearest'
            raise VizkitError(f"{why}: {near or 'none'}. All {len(self.labels)} classes: net.labels.")
        if is_whole(target) and 0 <= target < len(self.labels):
            return int(target)
        raise VizkitError(f"A class is a label or an index, 0 to {len(self.labels) - 1}, not {reprlib.repr(target)}.")

    def _per_channel(self, truth: Scorer, mean: Any, std: Any) -> tuple[Tensor, Tensor]:
        """Both (1, channels, 1, 1): as many as are given, or, of plain numbers, as the network takes."""
        try:
            both = [torch.tensor(_plain(value), dtype=torch.float32) for value in (mean, std)]
            most = max(map(torch.numel, both))
            means, stds = (value.reshape(1, -1, 1, 1).expand(1, most, 1, 1).clone() for value in both)
            is_right = bool(means.isfinite().all() and (means <= 1).all() and ((stds > 0) & (stds <= 1)).all())
        except (TypeError, ValueError, RuntimeError):
            is_right = False
        if not is_right:
            what = "are of pictures in [0, 1], and std is above 0: numbers, or lists, one a channel"
            given = f"mean={reprlib.repr(mean)}, std={reprlib.repr(std)}. Of bytes: divide both by 255."
            raise VizkitError(f"mean and std {what}; not {given}")
        channels = most if any(value.ndim for value in both) else self._channels(truth)
        return means.expand(-1, channels, -1, -1).clone(), stds.expand(-1, channels, -1, -1).clone()

    def _channels(self, truth: Scorer) -> int:
        """How many channels the network takes: those of its first convolution, 3 or 1; an error where several fit."""
        first = first_convolution(truth.network) or 1
        fitting = [n for n in {first, 3, 1} if takes(truth, torch.zeros(1, n, self.height, self.width))]
        if len(fitting) > 1:
            what = f"{self.name} takes images of {' or '.join(map(str, sorted(fitting)))} channels"
            raise VizkitError(f"{what}. Give mean and std as lists, one a channel.")
        return fitting[0] if fitting else first


def resized(image: Tensor, size: tuple[int, int], smooth: bool = True) -> Tensor:
    """Images, (batch, channels, height, width), at another size (height, width), bilinear; what gets smaller is
    averaged, unless it is not to be `smooth`. Differentiable; an image of that size already stays what it is."""
    if image.shape[-2:] == size:
        return image
    shrinks = size[0] < image.shape[-2] or size[1] < image.shape[-1]
    return F.interpolate(image, size=size, mode="bilinear", align_corners=False, antialias=smooth and shrinks)


def as_device(device: Device) -> torch.device:
    """The device that is meant; None: CUDA where it is there, or else the CPU. Raises `VizkitError` for one that is
    not there."""
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=device).device
    except Exception as error:  # torch raises assertions, too
        raise VizkitError(f"No device {device!r} here. The CPU is always there: device='cpu'. {error}") from error


def _plain(value: Any) -> Any:
    """Python's own numbers, strings and lists for what a tensor or an array holds."""
    return value.tolist() if hasattr(value, "tolist") else value


def _as_size(size: int | Sequence[int]) -> tuple[int, int]:
    sides = _plain(size)
    sides = sides if isinstance(sides, (tuple, list)) else (sides, sides)
    if len(sides) != 2 or not all(is_whole(side) and side > 0 for side in sides):
        raise VizkitError(f"size must be a side in pixels or (height, width), not {size}.")
    return int(sides[0]), int(sides[1])


def _as_labels(labels: Iterable[str] | None, classes: int) -> list[str]:
    if labels is None:
        return [f"class {index}" for index in range(classes)]
    has_order = isinstance(labels, Iterable) and not isinstance(labels, (str, bytes, Mapping, set, frozenset))
    listed = list(labels) if has_order else []
    if len(listed) != classes or any(isinstance(label, (bytes, Mapping, set, list, tuple)) for label in listed):
        given = f"not {len(listed)}: {reprlib.repr(labels)}"
        raise VizkitError(f"labels must be {classes} strings, in the order of the scores, {given}.")
    return [str(label).strip() for label in listed]


def _positions(label: str, labels: Sequence[str]) -> list[int]:
    return [index for index, other in enumerate(labels) if other == label]


def _spelt(label: str) -> str:
    """As it is; or, where letters of two scripts are mixed, of which some only look alike, with their numbers."""
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in label if letter.isalpha()}
    return label if len(scripts) < 2 else ascii(label)[1:-1]


def _folded(label: str) -> str:
    """As it is looked for: without case, spaces around it, and the many ways to write one letter."""
    return unicodedata.normalize("NFKC", label).casefold().strip()
