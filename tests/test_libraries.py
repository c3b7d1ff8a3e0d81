"""Networks as people bring them, from the libraries that they come from: each works as it is, without a word, and what
it brings along need not be typed."""

import json
import os
import re
import subprocess
import sys
import warnings

import hub_cache
import pytest
import torch
from torch import nn

import vizkit
from vizkit import VizkitError
from vizkit.networks.libraries import IMAGENET

pytestmark = pytest.mark.libraries
USUAL = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "device": "cpu"}
TIMM = [
    "convnext_atto",
    "densenet121",
    "edgenext_xx_small",
    "efficientvit_b0",
    "eva02_tiny_patch14_224",
    "fastvit_t8",
    "levit_128s",
    "lcnet_050",
    "mobilevit_xxs",
    "nf_regnet_b0",
    "poolformer_s12",
    "regnetx_002",
    "repvgg_a0",
    "vit_tiny_patch16_224",
    "xcit_nano_12_p16_224",
]
TORCHVISION = [  # one of each family
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "inception_v3",
    "maxvit_t",
    "mnasnet0_5",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "regnet_y_400mf",
    "resnet18",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
    "swin_t",
    "swin_v2_t",
    "vgg11_bn",
    "vit_b_16",
]


def works(make, classes, **options):
    """Makes it with random weights, and a class model of it; the oracle is the module itself."""
    with torch.random.fork_rng(), warnings.catch_warnings():
        torch.manual_seed(0)
        warnings.simplefilter("ignore")  # of the libraries
        module = make()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        net = vizkit.Classifier(module, **(({"device": "cpu"} if "like" in options else USUAL) | options))
    images = net.normalise(torch.rand(2, 3, net.height, net.width, generator=torch.Generator().manual_seed(1)))
    with torch.no_grad():
        expected = module.eval()(images)
        expected = getattr(expected, "logits", expected)
        torch.testing.assert_close(net(images), expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    assert len(net.labels) == classes
    assert vizkit.ascend(net, 1, steps=1).run().image.isfinite().all()


@pytest.mark.parametrize("name", TIMM)
@pytest.mark.filterwarnings("ignore:class 1 has not moved")  # untrained, some give no slope that counts
def test_timm(name):
    import timm

    works(lambda: timm.create_model(name, num_classes=7), 7, size=timm.models.get_pretrained_cfg(name).input_size[-1])


@pytest.mark.parametrize("name", TORCHVISION)
@pytest.mark.filterwarnings("ignore:goldfish has not moved")
def test_torchvision(name):
    from torchvision.models import get_model, get_model_weights

    more = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}

    def make():
        module = get_model(name, weights=None, **more)
        if name == "vit_b_16":
            nn.init.normal_(module.heads.head.weight)  # untrained, it is zero
        return module

    works(make, 1000, like=get_model_weights(name).DEFAULT)


def of_transformers():
    import transformers as t

    narrow = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    return {
        "vit": lambda: t.ViTForImageClassification(t.ViTConfig(**narrow, image_size=32, patch_size=8, num_labels=7)),
        "beit": lambda: t.BeitForImageClassification(t.BeitConfig(**narrow, image_size=32, patch_size=8, num_labels=7)),
        "resnet": lambda: t.ResNetForImageClassification(
            t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=7)
        ),
        "convnext": lambda: t.ConvNextForImageClassification(
            t.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, num_labels=7)
        ),
        "swin": lambda: t.SwinForImageClassification(
            t.SwinConfig(
                image_size=32, patch_size=2, embed_dim=8, depths=[1, 1], num_heads=[2, 2], window_size=4, num_labels=7
            )
        ),
    }


@pytest.mark.parametrize("name", ["vit", "beit", "resnet", "convnext", "swin"])
def test_transformers(name):
    works(of_transformers()[name], 7, size=32)


@pytest.mark.parametrize("fitted", [False, True])
def test_lightning(fitted, tmp_path):
    import lightning

    class Lit(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2))
            self.head, self.loss = nn.Sequential(nn.Flatten(), nn.Linear(32, 7)), nn.CrossEntropyLoss()

        def forward(self, x):
            return self.head(self.net(x))

        def training_step(self, batch):
            return self.loss(self(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    def make():
        module = Lit()
        if fitted:
            pairs = torch.utils.data.TensorDataset(torch.randn(4, 3, 32, 32), torch.arange(4))
            data = torch.utils.data.DataLoader(pairs, batch_size=4)
            quiet = dict.fromkeys(
                ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
            )
            lightning.Trainer(max_epochs=1, accelerator="cpu", default_root_dir=tmp_path, **quiet).fit(module, data)
        return module

    works(make, 7, size=32)


# What they bring along.

LARGE = [  # one of each large family; the last has 11,821 labels
    "resnet18.a1_in1k",
    "convnext_atto.d2_in1k",
    "vit_tiny_patch16_224.augreg_in21k_ft_in1k",
    "swin_s3_tiny_224.ms_in1k",
    "efficientnet_b0.ra_in1k",
    "tf_efficientnet_lite0.in1k",
    "mobilenetv3_small_050.lamb_in1k",
    "regnetx_002.pycls_in1k",
    "inception_v3.tv_in1k",
    "vit_tiny_patch16_224.augreg_in21k",
    "convnext_nano.in12k",
]


@pytest.mark.parametrize("name", LARGE)
def test_a_network_of_timm_brings_size_mean_std_and_labels(name):
    import timm

    torch.manual_seed(0)
    module = timm.create_model(name)
    theirs = timm.data.resolve_model_data_config(module)
    net = vizkit.Classifier(module, device="cpu")
    assert (net.channels, net.height, net.width) == theirs["input_size"]
    assert net.mean.flatten().tolist() == pytest.approx(theirs["mean"])
    assert net.std.flatten().tolist() == pytest.approx(theirs["std"])
    labels = timm.data.ImageNetInfo(timm.data.infer_imagenet_subset(module)).label_descriptions()
    assert len(net.labels) == len(labels) == module.num_classes
    flamingo = net.index("flamingo")
    assert labels[flamingo].split(",")[0] == "flamingo"
    assert (net.labels == IMAGENET) == (module.num_classes == 1000)  # so that a judge can be asked


def test_what_is_given_by_hand_wins():
    import timm

    module = timm.create_model("resnet18")
    net = vizkit.Classifier(module, map(str, range(1000)), size=(64, 96), mean=0.4, std=0.2, device="cpu")
    assert (net.height, net.width, net.labels[3]) == (64, 96, "3")
    assert net.mean.flatten().tolist() == pytest.approx([0.4] * 3)
    assert net.std.flatten().tolist() == pytest.approx([0.2] * 3)
    assert vizkit.Classifier(module, size=64, device="cpu").std.flatten().tolist() == pytest.approx(USUAL["std"])


def test_a_gray_network_of_timm_says_that_it_averages():
    import timm

    with pytest.warns(UserWarning, match=r"ResNet takes gray pictures.*averages"):
        net = vizkit.Classifier(timm.create_model("resnet18", in_chans=1), device="cpu")
    assert (net.channels, float(net.mean), float(net.std)) == (1, pytest.approx(0.449), pytest.approx(0.226))


def with_head(module, classes):
    module.fc = nn.Linear(module.fc.in_features, classes)
    return module


def test_labels_that_do_not_fit_the_head_are_left_out_with_a_sentence():
    import timm
    from torchvision.models import ResNet18_Weights, resnet18

    why = "ResNet gives 10 scores, but brings 1000 labels: its classes are numbered"
    with pytest.warns(UserWarning, match=why):
        net = vizkit.Classifier(with_head(timm.create_model("resnet18"), 10), device="cpu")
    assert net.labels[9] == "class 9"
    with pytest.warns(UserWarning, match=why):
        net = vizkit.Classifier(with_head(resnet18(), 10), like=ResNet18_Weights.DEFAULT, device="cpu")
    assert net.labels[9] == "class 9"
    own = [f"leaf {index}" for index in range(10)]
    assert vizkit.Classifier(with_head(resnet18(), 10), own, like=ResNet18_Weights.DEFAULT, device="cpu").labels == own


def test_a_network_like_published_weights():
    from torchvision.models import EfficientNet_B1_Weights, efficientnet_b1

    torch.manual_seed(0)
    module = efficientnet_b1()
    for weights in EfficientNet_B1_Weights:
        seen, net = weights.transforms(), vizkit.Classifier(module, like=weights, device="cpu")
        assert (net.height, net.labels) == (seen.crop_size[0], weights.meta["categories"])
        assert net.mean.flatten().tolist() == pytest.approx(seen.mean)
        assert net.std.flatten().tolist() == pytest.approx(seen.std)


@pytest.mark.parametrize("like", ["IMAGENET1K_V1", 3, nn.ReLU(), {"size": 3}])
def test_what_tells_nothing_is_refused(like):
    with pytest.raises(VizkitError, match=r"like= takes torchvision's weights.*image processor; not"):
        vizkit.Classifier(nn.Conv2d(3, 2, 3), like=like)


def test_what_is_missing_is_named():
    with pytest.raises(VizkitError, match=r"Conv2d does not tell its size, mean, std\. Pass what it was.*like="):
        vizkit.Classifier(nn.Conv2d(3, 2, 3))
    with pytest.raises(VizkitError, match=r"Conv2d does not tell its std\."):
        vizkit.Classifier(nn.Conv2d(3, 2, 3), size=8, mean=0)
    module = of_transformers()["vit"]()  # it was never loaded by a name: its processor is nowhere
    with pytest.raises(VizkitError, match=r"ViTForImageClassification does not tell its mean, std\."):
        vizkit.Classifier(module)
    assert vizkit.Classifier(module, mean=0.5, std=0.5).height == 32


def test_a_configuration_that_lacks_things_asks_for_them():
    module = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    module.pretrained_cfg = {"mean": (0.5,) * 3}  # as some version of timm may have it
    with pytest.raises(VizkitError, match=r"does not tell its size, std\."):
        vizkit.Classifier(module)
    assert vizkit.Classifier(module, size=8, std=0.5).labels == ["class 0", "class 1"]


def prepared(processor, picture):
    """What transformers makes of a picture, as its own processor does it."""
    return processor(picture, return_tensors="pt", input_data_format="channels_last")["pixel_values"]


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("ViTImageProcessor", {"size": {"height": 40, "width": 56}, "image_mean": [0.1, 0.2, 0.3]}),
        ("ViTImageProcessor", {"size": {"height": 48, "width": 48}, "do_normalize": False}),
        ("ViTImageProcessor", {"size": {"height": 48, "width": 48}, "do_rescale": False, "image_mean": [100.0] * 3}),
        ("EfficientNetImageProcessor", {"size": {"height": 48, "width": 48}, "rescale_factor": 1 / 127.5}),
        ("ConvNextImageProcessor", {"size": {"shortest_edge": 48}, "crop_pct": 0.875}),
        ("CLIPImageProcessor", {"size": {"shortest_edge": 60}, "crop_size": {"height": 48, "width": 48}}),
    ],
)
def test_an_image_processor_tells_what_it_does_to_a_picture(kind, how):
    """The oracle is the processor, on a flat picture, which no resizing changes."""
    import transformers

    how = how | ({"rescale_offset": True} if kind.startswith("Eff") else {})
    processor = getattr(transformers, kind)(**how)
    net = vizkit.Classifier(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), like=processor, device="cpu")
    picture = torch.tensor([[[200, 100, 7]]], dtype=torch.uint8).expand(60, 60, 3)
    expected = prepared(processor, picture.numpy())
    assert expected.shape[2:] == (net.height, net.width)
    ours = net.normalise(picture[0, 0].reshape(1, 3, 1, 1) / 255)
    torch.testing.assert_close(ours.flatten(), expected[0, :, 0, 0], rtol=1e-4, atol=1e-4)


def test_a_processor_that_turns_colours_round_is_refused():
    import transformers

    with pytest.raises(VizkitError, match="blue first"):
        vizkit.Classifier(nn.Conv2d(3, 2, 3), like=transformers.MobileViTImageProcessor())


def test_a_folder_of_transformers_is_loaded_by_its_path(tmp_path):
    import transformers

    torch.manual_seed(0)
    module = of_transformers()["vit"]()
    module.config.id2label = dict(enumerate(["ant", "bee", "cat", "dog", "eel", "fox", "gnu"]))
    module.save_pretrained(tmp_path)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}, image_mean=[0.4] * 3).save_pretrained(tmp_path)
    net = vizkit.load(f"hf/{tmp_path}", device="cpu")
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(net(x), module.eval()(x).logits, rtol=1e-4, atol=1e-5)
    assert (net.labels[6], net.height, round(float(net.mean[0, 0]), 3)) == ("gnu", 32, 0.4)
    same = vizkit.Classifier(transformers.AutoModelForImageClassification.from_pretrained(tmp_path), device="cpu")
    assert same.facts == net.facts


@pytest.mark.parametrize(
    "name", ["'hf/somebody/something'", "'h' + 'f/somebody/something'", "name='hf/somebody/something'"]
)
def test_a_picture_never_fetches_a_network_that_anybody_may_have_put_there(name, tmp_path):
    net = vizkit.load("shapes", device="cpu")
    net.code = f"vizkit.load({name}).inside('4')"
    file = vizkit.ascend(net, 0, steps=1).run().save(tmp_path / "picture.png")
    with pytest.raises(VizkitError, match=re.escape(f"of {net.code}: pass it")):
        vizkit.reproduce(file)
    assert vizkit.reproduce(file, net).step == 1


# By their names, out of the hub's cache, in a process of their own: its place is a variable that is read once.

BY_NAME = """
import json, sys, torch, vizkit
torch.manual_seed(1)
x, told = torch.randn(1, 3, 224, 224), {}
for name in sys.argv[1:]:
    try:
        net = vizkit.load(name, device="cpu")
        told[name] = [net(x)[0, :5].tolist(), net.labels[130], net.height, net.code]
    except vizkit.VizkitError as error:
        told[name] = str(error)
print(json.dumps(told))
"""


def by_name(home, *names, **variables):
    command = [sys.executable, "-W", "ignore", "-c", BY_NAME, *names]
    told = subprocess.run(
        command, env=os.environ | {"HF_HOME": str(home)} | variables, capture_output=True, text=True, timeout=600
    )
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout.strip().splitlines()[-1]), told.stderr


def test_networks_of_timm_and_transformers_by_their_names(tmp_path):
    modules = hub_cache.put_timm(tmp_path), hub_cache.put_transformers(tmp_path)
    names = hub_cache.TIMM, f"hf/{hub_cache.OF_TRANSFORMERS}"
    told, said = by_name(tmp_path, *names)
    assert "huggingface.co" not in said  # what is there is not looked for on the net
    torch.manual_seed(1)
    x = torch.randn(1, 3, 224, 224)
    for name, module in zip(names, modules, strict=True):
        scores, label, side, code = told[name]
        with torch.no_grad():
            expected = module(x)
        expected = getattr(expected, "logits", expected)[0, :5]
        torch.testing.assert_close(torch.tensor(scores), expected, rtol=1e-3, atol=1e-4)
        assert (label, side, code) == ("flamingo", 224, f'vizkit.load("{name}")')


def test_a_hub_that_cannot_be_reached_is_a_sentence_that_says_where_to_put_the_folder(tmp_path):
    names = "timm/resnet18", "hf/microsoft/resnet-50"
    told, _ = by_name(tmp_path, *names, HF_HUB_OFFLINE="1")
    for name, folder in zip(names, ("models--timm--resnet18.a1_in1k", "models--microsoft--resnet-50"), strict=True):
        assert f"{name} could not be loaded. Load again, or copy {tmp_path / 'hub' / folder} from" in told[name]


def test_a_download_from_a_hub_is_told_of_in_megabytes(tmp_path, monkeypatch):
    from huggingface_hub import constants

    from vizkit.networks import downloaded

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for name, folder in (
        ("timm/resnet18", "timm--resnet18.a1_in1k"),
        ("hf/microsoft/resnet-50", "microsoft--resnet-50"),
    ):
        assert downloaded(name) == (0, 0)
        blobs = tmp_path / f"models--{folder}" / "blobs"
        blobs.mkdir(parents=True)
        (blobs / "0123.incomplete").write_bytes(bytes(3_000_000))
        assert downloaded(name) == (3, 0)
    assert downloaded("timm/nothing") == downloaded("layer 4") == (0, 0)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("microsoft/resnet-50", r"No network 'microsoft/resnet-50'\. Nearest: hf/microsoft/resnet-50,"),
        ("timm/convnxt_tiny", r"No network 'convnxt_tiny' with weights in timm\. Nearest: .*timm/convnext_tiny"),
        ("timm/resnet18.nothing", r"No network 'resnet18\.nothing' with weights in timm\. Nearest: timm/resnet18"),
        ("timm/local-dir:/tmp", "with weights in timm"),
        ("timm/", "with weights in timm"),
        ("keras/resnet", r"All of them: vizkit\.networks\(\).*timm/NAME and hf/OWNER/NAME"),
    ],
)
def test_names_with_a_slash_that_are_no_network(name, why):
    with pytest.raises(VizkitError, match=why):
        vizkit.load(name)


@pytest.mark.parametrize(("name", "package"), [("timm/resnet18", "timm"), ("hf/a/b", "transformers")])
def test_a_library_that_is_not_there_is_named(name, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(VizkitError, match=f"needs the package {package}: pip install {package}"):
        vizkit.load(name)


# Weights in safetensors.


def test_weights_out_of_safetensors_are_those_that_were_saved(tmp_path, monkeypatch):
    from safetensors.torch import save_file

    torch.manual_seed(0)
    saved = vizkit.small_cnn(3, 5)
    for name in ("cnn.safetensors", "cnn.pth"):  # it is what stands in it that counts
        save_file({f"model.{key}": value.contiguous() for key, value in saved.state_dict().items()}, tmp_path / name)
        fresh = vizkit.load_weights(vizkit.small_cnn(3, 5, seed=1), tmp_path / name)
        assert all(
            torch.equal(a, b) for a, b in zip(fresh.state_dict().values(), saved.state_dict().values(), strict=True)
        )
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(VizkitError, match="a safetensors file, which needs: pip install safetensors"):
        vizkit.load_weights(fresh, tmp_path / "cnn.pth")
