"""What networks of other libraries bring along: torchvision's weights, timm, and transformers. None of them but
torchvision has to be there."""

import difflib
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from PIL import Image
from torch import nn
from torchvision.models import ResNet18_Weights

from ..errors import VizkitError, warn
from .guards import first_convolution

KINDS = ("labels", "size", "mean", "std")  # what a network may bring along
IMAGENET: list[str] = ResNet18_Weights.DEFAULT.meta["categories"]
HUBS = ("timm/", "hf/")  # how the names of networks begin that lie on Hugging Face's hub


def completed(module: nn.Module, name: str, like: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is `given` of `KINDS`, and, where that is None, what `like` tells, or else the module itself; labels may be
    missing. Raises `VizkitError` where another one is."""
    told = [*brought(module).items(), *(told_by(like) if like is not None else {}).items(), *given.items()]
    known = {kind: value for kind, value in told if value is not None}
    if missing := [kind for kind in KINDS[1:] if kind not in known]:
        remedy = "Pass what it was trained with, or like=, as in like=torchvision.models.ResNet18_Weights.DEFAULT."
        raise VizkitError(f"{name} does not tell its {', '.join(missing)}. {remedy}")
    if given["mean"] is None and isinstance(known["mean"], tuple) and first_convolution(module) == 1:
        warn(f"{name} takes gray pictures, and brings mean and std of three colours: their averages are taken.")
        known |= {kind: sum(known[kind]) / 3 for kind in KINDS[2:]}
    return {kind: known.get(kind) for kind in KINDS}


def told_by(like: Any) -> dict[str, Any]:
    """What torchvision's weights or an image processor of transformers tells."""
    if hasattr(like, "image_mean"):
        return of_processor(like)
    try:
        seen, labels = like.transforms(), like.meta.get("categories")
        return {"labels": labels, "size": seen.crop_size[0], "mean": tuple(seen.mean), "std": tuple(seen.std)}
    except (AttributeError, TypeError) as error:
        kinds = "torchvision's weights, such as torchvision.models.ResNet18_Weights.DEFAULT, or an image processor"
        raise VizkitError(f"like= takes {kinds}; not {like!r:.100}.") from error


def brought(module: nn.Module) -> dict[str, Any]:
    """What a module of timm or transformers has with it; nothing for others."""
    inner = getattr(module, "timm_model", module)  # of transformers, in which timm may be
    timm_tells, config = getattr(inner, "pretrained_cfg", None), cast(Any, getattr(module, "config", None))
    if isinstance(timm_tells, Mapping):
        return of_timm({**timm_tells, "num_classes": getattr(inner, "num_classes", None)})
    told: dict[str, Any] = {}
    if isinstance(names := getattr(config, "id2label", None), Mapping):
        told = {"labels": as_imagenet([str(names[index]) for index in sorted(names)])}
        told["size"] = getattr(config, "image_size", None)
        with suppress(Exception):  # there may be none; then mean and std are asked for
            processors = import_module("transformers").AutoImageProcessor
            told |= of_processor(processors.from_pretrained(config._name_or_path, local_files_only=True))
    return told


def of_timm(config: Mapping[str, Any]) -> dict[str, Any]:
    """Of timm's `pretrained_cfg`; the labels of ImageNet are told by how many there are, as timm does."""
    labels, size = config.get("label_names"), config.get("input_size")
    with suppress(ImportError, AttributeError):
        data = import_module("timm.data")
        if not labels and (kind := data.infer_imagenet_subset({"num_classes": config.get("num_classes")})):
            labels = data.ImageNetInfo(kind).label_descriptions()
    told = {"labels": labels and as_imagenet(list(labels)), "size": size and size[1:]}
    return told | {kind: tuple(config[kind]) for kind in KINDS[2:] if kind in config}


def of_processor(processor: Any) -> dict[str, Any]:
    """Of an image processor of transformers: what it makes of black, white and red pictures, whatever its settings."""
    flat = [Image.new("RGB", (96, 96), colour) for colour in ("black", "white", "red")]
    black, white, red = processor(flat, return_tensors="pt")["pixel_values"]
    if not red[0].allclose(white[0]):
        raise VizkitError("This network takes blue first, and red last. Pass a module that turns the channels round.")
    std = 1 / (white - black).mean(dim=(1, 2))
    mean = -black.mean(dim=(1, 2)) * std
    return {"size": tuple(black.shape[1:]), "mean": tuple(mean.tolist()), "std": tuple(std.tolist())}


def as_imagenet(labels: list[str]) -> list[str]:
    """Labels; those of ImageNet's 1,000 classes as torchvision spells them, whichever synonyms are beside them, so
    that a class has one name in all networks, and a second opinion can be asked."""
    same = sum(ours == theirs.split(",")[0] for ours, theirs in zip(IMAGENET, labels, strict=False))
    return IMAGENET if len(labels) == len(IMAGENET) and same > 900 else labels


def loaded(name: str) -> tuple[nn.Module, Any]:
    """The network "timm/NAME" or "hf/OWNER/NAME" (or "hf/FOLDER") with its published weights, out of the hub's cache or
    downloaded to there; and what tells how its pictures were prepared, where that is not the module."""
    hub, _, rest = name.partition("/")
    try:
        return (_of_timm(rest), None) if hub == "timm" else _of_transformers(rest)
    except VizkitError:
        raise
    except ImportError as error:
        package = "timm" if hub == "timm" else "transformers"
        raise VizkitError(f"{name} needs the package {package}: pip install {package}. {error}") from error
    except Exception as error:
        remedy = f"Load again, or copy {cached(name)} from where it loads. vizkit.load() needs no download."
        raise VizkitError(f"{name} could not be loaded. {remedy} It said: {str(error)[:300]}") from error


def cached(name: str) -> Path:
    """The folder in which the hub's own library keeps that network."""
    hub, _, repository = name.partition("/")
    if hub == "timm":
        repository = import_module("timm").models.get_pretrained_cfg(repository).hf_hub_id or repository
    cache = import_module("huggingface_hub").constants.HF_HUB_CACHE
    return Path(cache) / f"models--{repository.replace('/', '--')}"


def _of_timm(name: str) -> nn.Module:
    timm = import_module("timm")
    known = timm.list_pretrained()
    if name not in known and name not in {one.partition(".")[0] for one in known}:
        near = ", ".join(f"timm/{one}" for one in difflib.get_close_matches(name, known, n=4, cutoff=0.3)) or "none"
        raise VizkitError(f"No network {name!r:.100} with weights in timm. Nearest: {near}. See timm.list_models().")
    config, file = timm.models.get_pretrained_cfg(name), None
    if config.hf_hub_id and not config.custom_load:  # what is there already is not looked for on the net
        here = import_module("huggingface_hub").try_to_load_from_cache
        file = here(config.hf_hub_id, config.hf_hub_filename or "model.safetensors")
    return timm.create_model(name, pretrained=True, pretrained_cfg_overlay={"file": file} if file else None)


def _of_transformers(name: str) -> tuple[nn.Module, Any]:
    transformers = import_module("transformers")

    def made(**where: bool) -> tuple[nn.Module, Any]:
        how = {"trust_remote_code": False, **where}  # what is not asked for is never run
        module = transformers.AutoModelForImageClassification.from_pretrained(name, **how)
        return module, transformers.AutoImageProcessor.from_pretrained(name, **how)

    with suppress(Exception):  # what is there already is not looked for on the net
        return made(local_files_only=True)
    return made()
