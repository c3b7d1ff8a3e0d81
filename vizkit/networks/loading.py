"""Trained CNNs by their names: those that come with the install, and torchvision's."""

import difflib
import reprlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn
from torchvision.models import VisionTransformer, WeightsEnum

from ..errors import VizkitError
from . import efficientnet_lite
from .checkpoints import read
from .classifier import Classifier, Device
from .libraries import HUBS, IMAGENET, cached, loaded
from .small_cnn import small_cnn

BUILTIN = tuple(efficientnet_lite.VERSIONS)  # the ImageNet networks that come with the install
SMALL = ("shapes", "fashion", "shapes_transformer")  # and the small networks, trained by vizkit


def load(
    name: str = "efficientnet_lite0", *, weights: str | WeightsEnum | None = None, device: Device = None
) -> Classifier:
    """
    >>> vizkit.load()
    Classifier('efficientnet_lite0', 1000 classes, 3 × 224 × 224)

    A trained CNN. Without a name: EfficientNet-Lite0, for ImageNet, whose weights came with the install, as did those
    of "efficientnet_lite2" and of two small CNNs, which load in milliseconds: "shapes" (eight coloured shapes, 64 × 64)
    and "fashion" (Fashion-MNIST, gray, 28 × 28); "shapes_transformer" is a small Vision Transformer for the same shapes
    (Dosovitskiy et al. 2020, arXiv 2010.11929). With another name out of `vizkit.networks()`: that torchvision
    classifier with its own ImageNet weights, downloaded once into torch's cache; `weights` is a version of them, such
    as "IMAGENET1K_V1" or torchvision's ResNet50_Weights.DEFAULT. With "timm/convnext_tiny.fb_in1k" or
    "hf/microsoft/resnet-50": that network of timm, or of Hugging Face's transformers, where these are installed.

    Raises `VizkitError` where the name is unknown, the weights can be neither found nor downloaded, or the checkpoint
    is damaged.
    """
    is_hubs = str(name).startswith(HUBS)
    if not is_hubs and name not in networks():
        known = [*networks(), f"hf/{name}"] if "/" in str(name) else networks()
        near = ", ".join(difflib.get_close_matches(str(name), known, n=4, cutoff=0.3)) or "none"
        others = "timm/NAME and hf/OWNER/NAME are of timm and Hugging Face."
        raise VizkitError(f"No network {reprlib.repr(name)}. Nearest: {near}. All of them: vizkit.networks(). {others}")
    if (is_hubs or name in BUILTIN + SMALL) and weights is not None:
        raise VizkitError(f'{name} has one version of its weights, and no {weights!r}: vizkit.load("{name}").')
    code, how = "vizkit.load()" if name == BUILTIN[0] else f'vizkit.load("{name}")', dict[str, Any]()
    if name in SMALL:
        return small_network(read(Path(__file__).parent / "weights" / f"{name}.pt"), code, name, device)
    if name in BUILTIN:
        cnn, side = efficientnet_lite.pretrained(name), efficientnet_lite.VERSIONS[name][-1]
        how = {"labels": IMAGENET, "size": side, "mean": efficientnet_lite.MEAN, "std": efficientnet_lite.STD}
    elif is_hubs:
        cnn, how["like"] = loaded(name)
    else:
        version = _version(name, weights)
        cnn, how["like"] = _with_weights(name, version), version
        code = f'vizkit.load("{name}", weights="{version.name}")'
    net = Classifier(cnn, **how, name=name, device=device)
    net.code = code
    return net


def networks() -> list[str]:
    """
    >>> vizkit.networks()[:3]
    ['efficientnet_lite0', 'efficientnet_lite2', 'shapes']

    The names that `vizkit.load` knows: the built-in CNNs first, then torchvision's classifiers.
    """
    return [*BUILTIN, *SMALL, *torchvision.models.list_models(module=torchvision.models)]


def downloaded(name: str) -> tuple[float, float]:
    """
    >>> from vizkit.networks import downloaded
    >>> downloaded("efficientnet_lite0")
    (0.0, 0.0)

    Of the weights of that network: how many megabytes have come, and how many there are, which a hub does not tell;
    zeros where none are coming.
    """
    whole = 0.0
    with suppress(Exception):  # there is no such file; or its last byte has come meanwhile
        if name.startswith(HUBS):
            parts = (cached(name) / "blobs").glob("*.incomplete")
        else:
            version = _version(name, None)
            file, whole = _file(version), float(version.meta["_file_size"])
            parts = file.parent.glob(f"{file.name}.*.partial")
        newest = max((part.stat() for part in parts), key=lambda part: part.st_mtime)  # others broke off
        return newest.st_size / 1e6, whole
    return 0.0, 0.0


def as_classifier(net: Classifier | str | None) -> Classifier:
    """
    >>> from vizkit.networks import as_classifier
    >>> as_classifier("shapes")
    Classifier('shapes', 8 classes, 3 × 64 × 64)

    The Classifier that is meant: itself, the one of a name (see `load`), or, for None, the built-in one. Raises
    `VizkitError` for anything else, such as a module, which lacks labels, size, mean and std.
    """
    if isinstance(net, Classifier):
        return net
    if net is None or isinstance(net, str):
        return load() if net is None else load(net)
    what = f"a {type(net).__name__}. vizkit.Classifier(module, …) makes one of your module"
    raise VizkitError(f"A network is a Classifier, or a name of vizkit.networks(), not {what}.")


def small_network(saved: Mapping[str, Any], code: str, name: str, device: Device = None) -> Classifier:
    """A small network out of what `tests/benchmarks/train_small.py` wrote into a file; `code` is Python that loads it
    again."""
    if "transformer" in saved:
        with torch.random.fork_rng(devices=[]):  # the weights that it draws are overwritten
            module: nn.Module = VisionTransformer(**saved["transformer"])
    else:
        module = small_cnn(saved["channels"], len(saved["labels"]), saved["size"], saved["width"])
    module.load_state_dict(saved["weights"])
    how = {key: saved[key] for key in ("labels", "size", "mean", "std")}
    net = Classifier(module, **how, name=name, device=device)
    net.code = code
    return net


def _version(name: str, weights: Any) -> Any:
    versions = torchvision.models.get_model_weights(name)
    labelled = {key: one for key, one in versions.__members__.items() if one.meta.get("categories")}
    if weights is None or weights in labelled.values():
        return weights or versions.DEFAULT
    if weights not in labelled:
        raise VizkitError(f"{name} has no weights {weights!r} with class labels. It has: {', '.join(labelled)}.")
    return labelled[weights]


def _file(version: torchvision.models.Weights) -> Path:
    """Where torch keeps these weights."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(version.url).name


def _with_weights(name: str, version: torchvision.models.Weights) -> nn.Module:
    """torchvision's `name` with its published weights, from the cache or the network; whole, or an error."""
    file = _file(version)
    try:
        return torchvision.models.get_model(name, weights=version)
    except Exception as error:
        is_missing = isinstance(error, OSError)  # urllib's URLError is one
        trouble = "could not be downloaded" if is_missing else f"are damaged or another network's: delete {file}"
        remedy = f"Load again, or put {version.url} at {file}. vizkit.load() needs no download."
        raise VizkitError(f"The weights of {name} {trouble}. {remedy} It said: {str(error)[:300]}") from error
