"""A trained CNN with all it takes to talk to it: labels, input size, mean and standard deviation; frozen and fast."""

import difflib
import hashlib
import operator
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import VizkitError
from . import builtin
from .preparing import (
    Scores,
    advice,
    as_module,
    climb,
    close,
    first_convolution,
    folded,
    name_of,
    pick_scores,
    prepared,
    probability,
    said,
)

BUILTIN = {  # the ImageNet networks that come with the install: how to make each, and its input size
    "efficientnet_lite0": (builtin.pretrained_lite0, 224),
    "efficientnet_lite2": (builtin.pretrained_lite2, 260),
}
SMALL = ("shapes", "fashion")  # and the small CNNs, trained by vizkit


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
    mean, std: what the training pictures, in [0, 1], were normalised with: a number, or one a channel. A network that
        normalises for itself takes mean=0, std=1.
    name: what to call it. device: where to run it; None takes a GPU where there is one.
    scores: where the class scores are if the module returns more than one tensor: a key ("logits"), an index, the name
        of an attribute, or a function of what it returns.

    Raises `VizkitError` where these do not fit the module, where it does not return raw class scores, or where no
    gradient comes back from them to the image. Warns where the scores are probabilities, do not change with the image,
    or change with the other images of the batch.
    """

    def __init__(
        self,
        module: nn.Module | torch.export.ExportedProgram,
        labels: Sequence[str] | None = None,
        *,
        size: int | tuple[int, int],
        mean: float | Sequence[float],
        std: float | Sequence[float],
        name: str | None = None,
        device: str | torch.device | None = None,
        scores: Scores | None = None,
    ) -> None:
        given = as_module(module)
        self.name = name or name_of(given)
        self.code = "vizkit.Classifier(...)  # yours"  # the expression that makes it, for code shown to people
        self.height, self.width = _as_size(size)
        self.channels = _channels(given, mean, std)
        self.device = torch.device(device) if device is not None else default_device()
        self.mean = _per_channel(mean, self.channels, "mean").to(self.device)
        self.std = _per_channel(std, self.channels, "std").to(self.device)
        if not (self.std > 0).all():
            raise VizkitError(f"std must be above zero in every channel, not {std}.")
        self.low, self.high = (0 - self.mean) / self.std, (1 - self.mean) / self.std
        self._pick, self._layout = scores, torch.channels_last  # the faster layout, mostly
        with torch.inference_mode(False):  # what is made in that mode can never be climbed
            self.network = prepared(given, self.device).to(memory_format=self._layout)
            classes = self._probe(len(labels) if isinstance(labels, Sequence) else None)
        self.labels = _checked_labels(labels, classes)

    def __repr__(self) -> str:
        size = f"{self.channels} × {self.height} × {self.width}"
        place = "" if self.device.type == "cpu" else f", on {self.device}"
        return f"Classifier({self.name!r}, {len(self.labels)} classes, {size}{place})"

    def __call__(self, image: Tensor) -> Tensor:
        """Raw class scores, (batch, classes), of zero-centred images, (batch, channels, height, width).

        Images of another size are resized first where the network takes only its own.
        """
        if not self.any_size and image.shape[-2:] != (self.height, self.width):
            image = F.interpolate(image, size=(self.height, self.width), mode="bilinear", align_corners=False)
        return pick_scores(self._run(image), self._pick, self.name)

    @property
    def recipe(self) -> str:
        """The name of the recipe that suits its input: "small" for up to 96 pixels, or else "vizkit"."""
        return "small" if max(self.height, self.width) <= 96 else "vizkit"

    def blank(self, batch: int = 1) -> Tensor:
        """The zero image, (batch, channels, height, width): mid-grey, or the mean colour."""
        return torch.zeros(batch, self.channels, self.height, self.width, device=self.device)

    def normalise(self, picture: Tensor) -> Tensor:
        """From a picture with values in [0, 1] to what the network takes; (batch, channels, height, width) both."""
        return (picture - self.mean) / self.std

    def denormalise(self, image: Tensor) -> Tensor:
        """Back from a zero-centred image to a picture; in [0, 1] where the image is in the valid range."""
        return image * self.std + self.mean

    def find(self, query: str, limit: int | None = None) -> dict[int, str]:
        """
        >>> net.find("flam")
        {130: 'flamingo'}

        The classes whose label contains `query`, case-blind, best first; or else those of nearest spelling.
        """
        wanted = query.strip().casefold()
        folded = [label.casefold() for label in self.labels]

        def rank(index: int) -> tuple[bool, bool, bool, int]:
            label = folded[index]
            starts_a_word = re.search(r"\b" + re.escape(wanted), label) is not None
            return label != wanted, not label.startswith(wanted), not starts_a_word, index

        found = sorted((index for index, label in enumerate(folded) if wanted in label), key=rank)
        if not found:
            near = difflib.get_close_matches(wanted, folded, n=5, cutoff=0.5)
            found = list(dict.fromkeys(index for label in near for index in _positions(label, folded)))
        return {index: self.labels[index] for index in found[:limit]}

    def index(self, target: str | int) -> int:
        """
        >>> net.index("Flamingo")
        130

        The class index of a label (case-blind) or an index. Raises `VizkitError`, with the nearest labels, where the
        class is unknown or the label stands for several.
        """
        if isinstance(target, str):
            # As it is written, or else without the spaces around it, or else case-blind.
            found = _positions(target, self.labels) or _positions(target.strip(), self.labels)
            found = found or _positions(target.strip().casefold(), [label.casefold() for label in self.labels])
            if len(found) == 1:
                return found[0]
            listing = ", ".join(f"{label} ({index})" for index, label in self.find(target, limit=5).items())
            if found:
                raise VizkitError(f'"{target}" is the label of several classes. Give an index: {listing}.')
            hint = f"Nearest: {listing}." if listing else f"{self.name} has {len(self.labels)} classes; see net.labels."
            raise VizkitError(f'No class "{target}". {hint}')
        if isinstance(target, bool):
            raise VizkitError(f"A class is a label or an index, not {target}.")
        try:
            number = operator.index(target)
        except TypeError:
            raise VizkitError(f"A class is a label or an index, not {target!r}.") from None
        if not 0 <= number < len(self.labels):
            raise VizkitError(
                f"No class {number}: {self.name} has {len(self.labels)} classes, 0 to {len(self.labels) - 1}."
            )
        return number

    def indices(self, targets: Any) -> list[int]:
        """The class indices of one target, or of several."""
        listed = [targets] if isinstance(targets, str) or not hasattr(targets, "__iter__") else list(targets)
        if not listed:
            raise VizkitError("No class to ascend: the list of targets is empty.")
        return [self.index(one) for one in listed]

    def fitted(self, image: Tensor) -> Tensor:
        """At the network's own size."""
        size = (self.height, self.width)
        if image.shape[-2:] == size:
            return image
        shrinks = size[0] < image.shape[-2] or size[1] < image.shape[-1]
        return F.interpolate(image, size=size, mode="bilinear", align_corners=False, antialias=shrinks)

    def _run(self, image: Tensor) -> Any:
        # A copy: some modules change what they are given.
        return self.network(image.clone(memory_format=self._layout))

    def _probe(self, expected: int | None) -> int:
        """The number of classes, from a look at two random pictures; folds what can be folded.

        A clear error where the module is no classifier that can be climbed, a warning where it is a doubtful one.
        """
        shape = (2, self.channels, self.height, self.width)
        pair = self.normalise(torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(self.device))
        alone = self._look(pair[:1], expected)
        self.any_size = self._takes_any_size(alone)
        how_to = advice(self.network, *shape[1:])
        plain, self.network = self.network, folded(self.network).to(memory_format=self._layout)
        try:
            scores, gradient = climb(self, pair, self.name, how_to)
            is_exact = close(scores[:1], alone)
        except Exception:
            is_exact = False
        if not is_exact:
            self.network = plain
            scores, gradient = climb(self, pair, self.name, how_to)
        if not gradient.isfinite().all():
            raise VizkitError(
                f"The gradient of {self.name} is not finite. Has its forward a root, a norm or a logarithm of zero? "
                "Add a small number inside."
            )
        if not is_exact and not close(scores[:1], alone):
            mixed = f"{self.name} scores a picture otherwise when another is beside it: a layer works as in training."
            if how_to:
                raise VizkitError(mixed + how_to)
            self._warn(f"{mixed} Class models of one batch will depend on each other.")
        if not gradient.any():
            self._warn(f"No score of {self.name} changes with the image. Does its forward round, or compare?")
        if not callable(self._pick) and (kind := probability(scores)):
            self._warn(
                f"The scores of {self.name} are {kind}. A class model needs the raw scores: "
                "take the softmax off its end, or pick the scores before it, scores=…."
            )
        return alone.shape[1]

    def _look(self, image: Tensor, expected: int | None) -> Tensor:
        """The class scores of one picture, in the layout that the module can take."""
        with torch.no_grad():
            try:
                output = self._run(image)
            except Exception:  # such as a view() after a convolution: it wants the usual layout
                self._layout = torch.contiguous_format
                self.network.to(memory_format=self._layout)
                try:
                    output = self._run(image)
                except Exception as error:
                    wants = first_convolution(self.network)
                    hint = f" Its first convolution takes {wants} channel(s)." if wants else ""
                    how_to = advice(self.network, *image.shape[1:])
                    raise VizkitError(
                        f"{self.name} cannot take an image of shape {tuple(image.shape)}.{hint} "
                        f"Check size, mean and std.{how_to} It said: {said(error)}"
                    ) from error
            scores = pick_scores(output, self._pick, self.name, expected)
        if scores.ndim != 2 or scores.shape[0] != 1:
            raise VizkitError(
                f"{self.name} returns shape {tuple(scores.shape)} for one image; class scores are (1, classes). "
                "Is the last layer missing, or the size another?"
            )
        if not scores.isfinite().all():
            raise VizkitError(f"{self.name} gives scores that are not finite. Did its training diverge?")
        return scores

    def _takes_any_size(self, alone: Tensor) -> bool:
        """Whether the network gives scores for smaller images, too, as those that pool over all places do."""
        smaller = self.blank()[..., : self.height * 5 // 7, : self.width * 5 // 7]
        try:
            with torch.no_grad():
                return pick_scores(self._run(smaller), self._pick, self.name).shape == alone.shape
        except Exception:
            return False

    def _warn(self, text: str) -> None:
        warnings.warn(text, stacklevel=4)  # where the Classifier is made


def load(
    name: str = "efficientnet_lite0", *, weights: str | None = None, device: str | torch.device | None = None
) -> Classifier:
    """
    >>> vizkit.load()
    Classifier('efficientnet_lite0', 1000 classes, 3 × 224 × 224)

    A trained CNN. Without a name: EfficientNet-Lite0, for ImageNet, whose weights came with the install, as did those
    of "efficientnet_lite2" and of two small CNNs, which load in milliseconds: "shapes" (eight coloured shapes, 64 × 64)
    and "fashion" (Fashion-MNIST, gray, 28 × 28). With another name out of `vizkit.networks()`: that torchvision
    classifier with its own ImageNet weights, downloaded once into torch's cache; `weights` names a version of them,
    such as "IMAGENET1K_V1". Raises `VizkitError` where the name is unknown, the weights can be neither found nor
    downloaded, or the checkpoint is damaged.
    """
    if name in SMALL:
        return small_network(Path(__file__).parent / "weights" / f"{name}.pt", f'vizkit.load("{name}")', device)
    if name in BUILTIN:
        make, size = BUILTIN[name]
        labels = torchvision.models.ResNet18_Weights.DEFAULT.meta["categories"]
        net = Classifier(make(), labels, size=size, mean=builtin.MEAN, std=builtin.STD, name=name, device=device)
        net.code = "vizkit.load()" if name == "efficientnet_lite0" else f'vizkit.load("{name}")'
        return net
    if name not in networks():
        near = ", ".join(difflib.get_close_matches(str(name), networks(), n=4, cutoff=0.3)) or "none"
        raise VizkitError(f'No network "{name}". Nearest: {near}. All of them: vizkit.networks().')
    versions = torchvision.models.get_model_weights(name)
    if weights is not None and weights not in versions.__members__:
        raise VizkitError(f'{name} has no weights "{weights}". It has: {", ".join(versions.__members__)}.')
    version = versions[weights] if weights else versions.DEFAULT
    if not version.meta.get("categories"):
        raise VizkitError(f"The weights {version.name} of {name} are no classifier's: they come without class labels.")
    preprocessing = version.transforms()
    net = Classifier(
        _with_weights(name, version),
        version.meta["categories"],
        size=preprocessing.crop_size[0],
        mean=preprocessing.mean,
        std=preprocessing.std,
        name=name,
        device=device,
    )
    net.code = f'vizkit.load("{name}", weights="{version.name}")'
    return net


def as_classifier(net: Any) -> Classifier:
    """The classifier that is meant."""
    if net is None or isinstance(net, str):
        return load() if net is None else load(net)
    if not isinstance(net, Classifier):
        raise VizkitError(f"ascend takes a Classifier first, not {type(net).__name__}: vizkit.Classifier(module, …).")
    return net


def networks() -> list[str]:
    """
    >>> vizkit.networks()[:3]
    ['efficientnet_lite0', 'efficientnet_lite2', 'shapes']

    The names that `vizkit.load` knows: the built-in CNNs first, then torchvision's classifiers.
    """
    return [*BUILTIN, *SMALL, *torchvision.models.list_models(module=torchvision.models)]


def small_network(file: Path, code: str, device: str | torch.device | None = None) -> Classifier:
    """A small CNN out of a file that `vizkit.training.save` wrote; `code` is the Python that loads it again."""
    saved = torch.load(file, map_location="cpu", weights_only=True)
    cnn = builtin.small_cnn(saved["channels"], len(saved["labels"]), saved["size"], saved["width"])
    cnn.load_state_dict(saved["weights"])
    keywords = {key: saved[key] for key in ("size", "mean", "std")}
    net = Classifier(cnn, saved["labels"], **keywords, name=file.stem, device=device)
    net.code = code
    return net


def _with_weights(name: str, version: torchvision.models.Weights) -> nn.Module:
    """torchvision's `name` with its published weights, from the cache or the network; whole, or an error."""
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(version.url).path).name
    was_there = file.exists()
    try:
        network: nn.Module = torchvision.models.get_model(name, weights=version)
    except OSError as error:  # urllib's URLError is one
        raise VizkitError(
            f"The weights of {name} are not on this machine and could not be downloaded ({error}). "
            f"The built-in CNN needs no download: vizkit.load(). Or fetch {version.url} elsewhere and put it at {file}."
        ) from error
    except Exception as error:
        raise VizkitError(
            f"{file} is not the checkpoint of {name}: it is damaged or holds other weights. "
            f"Delete it and load again. torch said: {str(error)[:300]}"
        ) from error
    published = re.search(r"-([0-9a-f]{8,})\.", file.name)
    if was_there and published and not _sha256(file).startswith(published.group(1)):
        warnings.warn(
            f"{file} fits {name}, but it is not the published file: its checksum differs. "
            "Delete it and load again for the published weights.",
            stacklevel=3,
        )
    return network


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        digest = hashlib.sha256()
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def default_device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _as_size(size: int | tuple[int, int]) -> tuple[int, int]:
    sides = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    try:
        height, width = map(operator.index, sides)
    except (TypeError, ValueError):
        height = width = 0
    if min(height, width) < 1:
        raise VizkitError(f"size must be a side in pixels or (height, width), not {size}.")
    return height, width


def _channels(module: nn.Module, mean: float | Sequence[float], std: float | Sequence[float]) -> int:
    """As many as mean and std have; for plain numbers, as many as the first convolution takes, or else one."""
    given = max(len(value) if isinstance(value, Sequence) else 1 for value in (mean, std))
    is_plain = not isinstance(mean, Sequence) and not isinstance(std, Sequence)
    return (first_convolution(module) if is_plain else None) or given


def _per_channel(value: float | Sequence[float], channels: int, name: str) -> Tensor:
    try:
        numbers = torch.as_tensor(value, dtype=torch.float32).flatten()
    except (TypeError, ValueError, RuntimeError):
        numbers = torch.tensor([torch.nan])
    if len(numbers) not in (1, channels) or not numbers.isfinite().all():
        raise VizkitError(f"{name} must be one finite number, or one for each of {channels} channel(s), not {value}.")
    return numbers.expand(channels).reshape(1, channels, 1, 1).clone()


def _checked_labels(labels: Sequence[str] | None, classes: int) -> list[str]:
    if labels is None:
        return [f"class {index}" for index in range(classes)]
    if isinstance(labels, (str, Mapping)) or not all(isinstance(label, str) for label in labels):
        raise VizkitError("labels must be a list of strings, one for each class score, in their order.")
    if len(labels) != classes:
        raise VizkitError(
            f"{len(labels)} labels, but the network gives {classes} class scores. Give one label a score."
        )
    return list(labels)


def _positions(label: str, labels: Sequence[str]) -> list[int]:
    return [index for index, other in enumerate(labels) if other == label]
