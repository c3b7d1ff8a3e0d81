"""The caches of Hugging Face's hub and of torch, with networks of random weights in them, as their own libraries would
have left them."""

from pathlib import Path

import torch

TIMM, OF_TRANSFORMERS = "timm/convnext_tiny.fb_in1k", "microsoft/resnet-50"  # those that the README names
REVISION = "0" * 40


def place(cache: Path, repository: str) -> Path:
    """The folder in which the files of a repository lie, made known as its newest version."""
    folder = cache / "hub" / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(REVISION)
    files = folder / "snapshots" / REVISION
    files.mkdir(parents=True)
    return files


def put_timm(cache: Path, name: str = TIMM.removeprefix("timm/")) -> torch.nn.Module:
    """A network of timm; `cache` is what the variable HF_HOME says."""
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(0)
    module = timm.create_model(name)
    save_file(module.state_dict(), place(cache, module.pretrained_cfg["hf_hub_id"]) / "model.safetensors")
    return module.eval()


def put_transformers(cache: Path, repository: str = OF_TRANSFORMERS) -> torch.nn.Module:
    """A ResNet-50 of transformers, with ImageNet's labels, synonyms and all."""
    import transformers
    from timm.data import ImageNetInfo

    torch.manual_seed(0)
    labels = dict(enumerate(ImageNetInfo().label_descriptions()))
    module = transformers.ResNetForImageClassification(transformers.ResNetConfig(id2label=labels))
    files = place(cache, repository)
    module.save_pretrained(files)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    size = {"shortest_edge": 224}
    transformers.ConvNextImageProcessor(size=size, crop_pct=0.875, image_mean=mean, image_std=std).save_pretrained(
        files
    )
    return module.eval()


def put_torchvision(cache: Path) -> None:
    """torchvision's ResNet-50; `cache` is what the variable TORCH_HOME says."""
    from torchvision.models import ResNet50_Weights, resnet50

    folder = cache / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(resnet50().state_dict(), folder / ResNet50_Weights.DEFAULT.url.rsplit("/", 1)[1])
