"""The second opinion: what another network sees in the finished picture."""

import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor, resize

from .errors import VizkitError
from .images import as_photo
from .networks import IMAGENET, Classifier, as_classifier, load
from .own_torch import own_torch


@dataclass(frozen=True)
class Opinion:
    """
    >>> vizkit.judging.Opinion("flamingo", 0.93, 1, "flamingo", 0.93)
    Opinion(target='flamingo', probability=0.93, rank=1, seen='flamingo', seen_probability=0.93)

    What a judge thinks of one picture: its `probability` for the target class and the `rank` of that class (1 is
    first); what it has `seen` first of all, with its probability.
    """

    target: str
    probability: float
    rank: int
    seen: str
    seen_probability: float

    def __str__(self) -> str:
        sees = "" if self.rank == 1 else f", sees {self.seen} {self.seen_probability:.2f}"
        return f"second opinion: {self.probability:.2f}{sees}"


def second_opinion(pictures: Any, targets: Any, judge: Classifier | str | None = None) -> list[Opinion]:
    """
    >>> vizkit.second_opinion(np.zeros((1, 224, 224, 3), np.uint8), "flamingo")[0].rank > 1
    True

    Another network's opinion of pictures that it took no part in: uint8, (batch, height, width, 3), or whatever else is
    a photo (see `vizkit.images.as_photo`), one or several, resized to its own input. `targets`: the class of each
    picture, or one for all; labels are safest, since they mean the same to every judge. `judge`: any `Classifier`; None
    takes EfficientNet-Lite2, which comes with the install. A class score says how much a picture excites the network
    that made it; only one that was not asked can say whether it shows the thing. Of two networks with the same training
    data, though, the second may share the blind spots of the first.

    Raises `VizkitError` where the judge does not know a class.
    """
    judge = default_judge() if judge is None else as_classifier(judge)
    indices, photos = judge.indices(targets), _photos(pictures)
    indices *= len(photos) if len(indices) == 1 else 1
    if len(indices) != len(photos):
        raise VizkitError(f"{len(indices)} targets for {len(photos)} picture(s). Give one, or one a picture.")
    with own_torch(), torch.no_grad():
        probabilities = judge.probabilities(judge(torch.cat([_as_input(judge, photo) for photo in photos])))
    return [_opinion(judge.labels, row, index) for row, index in zip(probabilities, indices, strict=True)]


def _opinion(labels: list[str], row: Tensor, index: int) -> Opinion:
    first, rank = int(row.argmax()), 1 + int((row > row[index]).sum())
    return Opinion(labels[index], float(row[index]), rank, labels[first], float(row[first]))


def judge_knows(net: Classifier) -> bool:
    """Whether the judge knows the classes of a network: those of ImageNet. It need not be loaded to tell."""
    return net.labels == IMAGENET


def default_judge() -> Classifier:
    """EfficientNet-Lite2, loaded once, whoever asks: it is frozen, so all may share it."""
    with _loading:
        return _load_once("efficientnet_lite2")


_loading = threading.Lock()
_load_once = cache(load)


def _photos(pictures: Any) -> list[Image.Image]:
    """One picture or several, as photos."""
    is_one = isinstance(pictures, (str, Path, Image.Image)) or getattr(pictures, "ndim", 4) < 4
    return [as_photo(one) for one in ([pictures] if is_one else pictures)]


def _as_input(judge: Classifier, photo: Image.Image) -> Tensor:
    values = pil_to_tensor(photo.convert("L" if judge.channels == 1 else "RGB"))[None].to(judge.device) / 255
    return judge.normalise(resize(values, [judge.height, judge.width], antialias=True))
