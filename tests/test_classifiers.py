"""Trained CNNs: the right weights, the right labels, and nothing of the caller's changed."""

import copy
import io
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision
from conftest import GRAY, RGB
from skimage import data
from torch import nn
from torch.nn.utils import parametrizations, parametrize, spectral_norm, weight_norm

import vizkit
from vizkit import VizkitError
from vizkit.networks import efficientnet_lite, loading


def noise(net, batch=2):
    return torch.randn(batch, net.channels, net.height, net.width, generator=torch.Generator().manual_seed(1))


def square(photo):
    side = min(photo.shape[:2])
    top, left = (photo.shape[0] - side) // 2, (photo.shape[1] - side) // 2
    return photo[top : top + side, left : left + side]


# The built-in CNN.


@pytest.mark.parametrize(
    ("photo", "expected"),
    [("coffee", {"espresso"}), ("chelsea", {"Egyptian cat", "tabby", "tiger cat"}), ("camera", {"tripod"})],
)
def test_a_real_photograph_is_recognised(net, photo, expected):
    image = vizkit.images.from_picture(net, square(getattr(data, photo)()))
    scores = net(image)[0]
    assert expected <= {net.labels[index] for index in scores.topk(5).indices}
    # Another activation or normalisation still finds the class, but is less sure of it.
    assert sum(float(scores.softmax(dim=0)[net.index(label)]) for label in expected) > 0.86


def test_what_a_photograph_does_not_show_is_as_in_tensorflow():
    ones = torch.ones(1, 1, 8, 9)
    padded = efficientnet_lite.SamePadding(kernel=3, stride=2)(ones)[0, 0]
    assert torch.equal(padded, nn.functional.pad(ones, (1, 1, 0, 1))[0, 0])  # an uneven row goes to the bottom
    layers = efficientnet_lite.efficientnet_lite().modules()
    assert {layer.eps for layer in layers if isinstance(layer, nn.BatchNorm2d)} == {1e-3}


@pytest.mark.parametrize("damage", ["cut off", "empty", "missing", "another network", "not a state dict"])
def test_a_damaged_builtin_checkpoint_is_an_error_that_names_the_file(damage, tmp_path, monkeypatch, rgb_module):
    whole = Path(efficientnet_lite.EfficientnetLite0ModelFile.get_model_file_path()).read_bytes()
    file = tmp_path / "weights.pth"
    if damage == "another network":
        torch.save(rgb_module.state_dict(), file)
    elif damage == "not a state dict":
        torch.save([1, 2, 3], file)
    elif damage != "missing":
        file.write_bytes(whole[: len(whole) // 2] if damage == "cut off" else b"")
    monkeypatch.setattr(efficientnet_lite.EfficientnetLite0ModelFile, "get_model_file_path", lambda: str(file))
    with pytest.raises(VizkitError, match=r"weights\.pth"):
        vizkit.load()


# Labels.


@pytest.fixture(scope="module")
def birds(make_cnn):
    labels = ["whooping crane", "Crane", "hen", "scranes", "crane bird", "crane", "HEN harrier", "flamingo", "a", "b"]
    return vizkit.Classifier(make_cnn(1, 10), labels, **GRAY)


def test_find_gives_the_exact_label_first_then_beginnings_then_words_then_any_place(birds):
    assert list(birds.find(" CRANE ")) == [1, 5, 4, 0, 3]
    assert birds.find("crane", limit=2) == {1: "Crane", 5: "crane"}


def test_find_falls_back_on_the_nearest_spelling(birds, net):
    assert next(iter(birds.find("flamigno"))) == 7
    assert next(iter(net.find("flamenco").values())) == "flamingo"
    assert birds.find("zzzz") == {}


def test_a_class_is_a_label_in_any_case_or_an_index(birds, net):
    assert [birds.index(one) for one in ("Flamingo", " flamingo ", 7, np.int64(7), torch.tensor(7))] == [7] * 5
    assert net.index("flamingo") == 130
    assert (net.index("crane"), net.index("crane bird")) == (517, 134)  # a label inside another is not ambiguous
    assert (net.index("maillot"), net.index("maillot tank suit")) == (638, 639)


def test_every_label_of_the_builtin_cnn_is_a_name(net):
    assert [net.index(label) for label in net.labels] == list(range(1000))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("CRANE", r"several classes.*Crane \(1\).*crane \(5\)"),
        ("flamigno", r'No class "flamigno".*flamingo \(7\)'),
        ("zzzz", "10 classes"),
        ("", "No class"),
        (10, "0 to 9"),
        (-1, "0 to 9"),
        (True, "label or an index"),
        (np.True_, "label or an index"),
        (7.0, "label or an index"),
        (None, "label or an index"),
    ],
)
def test_a_class_that_is_not_one_is_an_error_that_says_what_is(birds, target, message):
    with pytest.raises(VizkitError, match=message):
        birds.index(target)


def test_the_dog_and_the_jacket_are_told_apart_by_their_spelling_alone(net):
    assert (net.index("Cardigan"), net.index("cardigan")) == (264, 474)
    with pytest.raises(VizkitError, match=r"Cardigan \(264\).*cardigan \(474\)"):
        net.index("CARDIGAN")


# The caller's own module.


@pytest.mark.parametrize("options", [GRAY, RGB], ids=["gray", "rgb"])
def test_scores_are_those_of_the_callers_module_in_eval_mode(make_cnn, options):
    module = make_cnn(len(options["mean"]), 10)
    net = vizkit.Classifier(module, **options)
    assert torch.allclose(net(noise(net)), module.eval()(noise(net)), atol=1e-5)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in net.network.modules())  # folded away


class ReadsInside(nn.Module):
    """Uses what comes before the batch norm, too: there folding would change the scores."""

    def __init__(self, cnn):
        super().__init__()
        self.block, self.rest = cnn[0], cnn[1:]

    def forward(self, image):
        return self.rest(self.block(image) + self.block[0](image))


class Mirrored(nn.Module):
    def forward(self, weight):
        return weight + weight.flip(-1)


def weight_norm_by_hook(layer):
    with pytest.warns(FutureWarning):
        weight_norm(layer)


REWRITES = {
    "weight norm": parametrizations.weight_norm,
    "weight norm by a hook": weight_norm_by_hook,
    "spectral norm": parametrizations.spectral_norm,
    "spectral norm by a hook": spectral_norm,
    "a parametrization": lambda layer: parametrize.register_parametrization(layer, "weight", Mirrored()),
}


@pytest.mark.parametrize("rewrite", REWRITES)
def test_a_layer_that_computes_its_weight_keeps_its_scores(make_cnn, rewrite):
    module = make_cnn(3, 5)
    REWRITES[rewrite](module[0][0])
    net = vizkit.Classifier(module, **RGB)
    assert torch.allclose(net(noise(net)), module.eval()(noise(net)), atol=1e-4)


def test_batch_norm_is_left_alone_where_folding_would_change_the_scores(make_cnn):
    module = ReadsInside(make_cnn(3, 5))
    net = vizkit.Classifier(module, **RGB)
    assert torch.allclose(net(noise(net)), module.eval()(noise(net)), atol=1e-5)


def test_a_module_that_remembers_its_last_activation_can_be_looked_into(rgb_module):
    rgb_module.last = rgb_module[0](torch.zeros(1, 3, 32, 32))
    assert vizkit.Classifier(rgb_module, **RGB).labels == [f"class {index}" for index in range(5)]


def test_the_callers_module_is_not_touched(rgb_module):
    module, fired = rgb_module.double(), []
    module(torch.rand(2, 3, 32, 32, dtype=torch.float64)).sum().backward()
    module[1].eval()  # a mode of its own
    module[4].bias.requires_grad_(False)
    for layer in (module, module[0][0]):
        layer.register_forward_pre_hook(lambda *_: fired.append("before"))
        layer.register_forward_hook(lambda *_: fired.append("after"))
        layer.register_full_backward_hook(lambda *_: fired.append("backward"))
    modes = [layer.training for layer in module.modules()]
    weights = copy.deepcopy(module.state_dict())
    gradients = [parameter.grad.clone() for parameter in module.parameters()]

    vizkit.ascend(vizkit.Classifier(module, **RGB), 0, steps=2).run()

    assert fired == []
    assert [layer.training for layer in module.modules()] == modes
    assert [parameter.requires_grad for parameter in module.parameters()] == [True] * (len(gradients) - 1) + [False]
    assert all(torch.equal(p.grad, before) for p, before in zip(module.parameters(), gradients, strict=True))
    assert all(torch.equal(value, weights[key]) for key, value in module.state_dict().items())
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float64}
    module(torch.rand(2, 3, 32, 32, dtype=torch.float64, requires_grad=True)).sum().backward()
    assert sorted(fired) == sorted(["before", "after", "backward"] * 2)  # the hooks are still there


class Returns(nn.Module):
    """A trained CNN with something else than class scores at its end."""

    def __init__(self, cnn, wrap):
        super().__init__()
        self.cnn, self.wrap = cnn, wrap

    def forward(self, image):
        return self.wrap(self.cnn, image)


@pytest.mark.parametrize(
    ("wrap", "message"),
    [
        (lambda cnn, image: cnn[0](image), r"\(1, 8, 16, 16\).*last layer missing"),
        (lambda cnn, image: cnn(image)[0], r"shape \(5,\)"),
        (lambda cnn, image: (cnn(image), image), r"tuple.*scores=0"),
        (lambda cnn, image: {"scores": cnn(image)}, 'scores="scores"'),
    ],
    ids=["features", "no batch", "tuple", "dict"],
)
def test_a_module_that_returns_no_class_scores_is_an_error(rgb_module, wrap, message):
    with pytest.raises(VizkitError, match=message):
        vizkit.Classifier(Returns(rgb_module, wrap), **RGB)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mean": (0.5,), "std": (0.5,)}, r"first convolution takes 3 channel"),
        ({"mean": (0.5, 0.5)}, r"mean=\(0\.5, 0\.5\)"),
        ({"mean": float("nan")}, "mean must be"),
        ({"mean": "half"}, "mean must be"),
        ({"std": 0}, "std=0"),
        ({"std": (0.2, 0.2, -0.2)}, r"-0\.2"),
        ({"size": 0}, "size must be"),
        ({"size": (32, 32, 3)}, "size must be"),
        ({"size": 32.5}, "size must be"),
        ({"size": "32"}, "size must be"),
        ({"labels": ["a", "b"]}, r"5 strings.*not 2"),
        ({"labels": []}, r"5 strings.*not 0"),
        ({"labels": "abcde"}, "abcde"),
        ({"labels": [0, 1, 2, 3, 4]}, "strings"),
    ],
    ids=str,
)
def test_what_does_not_fit_the_module_is_an_error(rgb_module, options, message):
    with pytest.raises(VizkitError, match=message):
        vizkit.Classifier(rgb_module, **(RGB | options))


def test_a_network_that_lost_its_weights_in_training_is_an_error(rgb_module):
    rgb_module[4].weight.data[0, 0] = torch.nan
    with pytest.raises(VizkitError, match="finite"):
        vizkit.Classifier(rgb_module, **RGB)


def test_a_size_that_the_network_cannot_take_is_an_error():
    module = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))
    with pytest.raises(VizkitError, match=r"\(1, 1, 32, 32\)"):
        vizkit.Classifier(module, size=32, mean=0, std=1)


def test_what_is_no_module_is_an_error(rgb_module):
    with pytest.raises(VizkitError, match=r"torch\.nn\.Module.*forward"):
        vizkit.Classifier(lambda image: rgb_module(image), **RGB)


def test_a_plain_mean_and_std_serve_every_channel_of_the_first_convolution(rgb_module):
    net = vizkit.Classifier(rgb_module, size=32, mean=0.5, std=0.25)
    assert net.blank().shape == (1, 3, 32, 32)
    assert (float(net.low.unique()), float(net.high.unique())) == (-2, 2)


# Networks by name.


class Response(io.BytesIO):
    def info(self):
        return {}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty torch cache on a machine without a network: the folder for checkpoints."""

    def unreachable(*_, **__):
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", unreachable)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    return folder


def published(name, version="DEFAULT"):
    return torchvision.models.get_model_weights(name)[version]


def put_checkpoint(folder, name, version="DEFAULT", of=None):
    """Random weights of the network `of`, under the file name of `name`'s own: (the module, the file)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = torchvision.models.get_model(of or name)
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_var.uniform_(0.5, 2)
                layer.running_mean.normal_(0, 0.1)
    file = folder / published(name, version).url.rsplit("/", 1)[1]
    torch.save(module.state_dict(), file)
    return module.eval(), file


@pytest.mark.parametrize(
    ("name", "version"),
    [("squeezenet1_1", None), ("mobilenet_v3_small", None), ("efficientnet_b1", "IMAGENET1K_V1")],
)
def test_a_network_by_name_is_torchvisions_with_the_weights_own_metadata(cache, name, version):
    module, _ = put_checkpoint(cache, name, version or "DEFAULT")
    net = vizkit.load(name, weights=version)
    weights = published(name, version or "DEFAULT")
    expected = module(noise(net, 1))
    assert torch.allclose(net(noise(net, 1)), expected, atol=1e-4 * float(expected.detach().abs().max()))
    preprocessing = weights.transforms()
    assert [net.height, net.width] == preprocessing.crop_size * 2
    assert (net.mean.flatten().tolist(), net.std.flatten().tolist()) == (
        pytest.approx(preprocessing.mean),
        pytest.approx(preprocessing.std),
    )
    assert (net.labels, net.name) == (weights.meta["categories"], name)


def test_every_network_on_the_list_has_labels_and_a_crop_size():
    own = len(loading.BUILTIN) + len(loading.SMALL)
    for name in vizkit.networks()[own:]:
        assert len(published(name).meta["categories"]) == 1000, name
        assert published(name).transforms().crop_size[0] >= 224, name


def test_a_truncated_checkpoint_is_an_error_that_names_the_file(cache):
    _, file = put_checkpoint(cache, "squeezenet1_1")
    file.write_bytes(file.read_bytes()[:-10_000])
    with pytest.raises(VizkitError, match=rf"delete .*{file.name}"):
        vizkit.load("squeezenet1_1")


def test_another_networks_checkpoint_is_an_error_that_names_the_file(cache):
    _, file = put_checkpoint(cache, "squeezenet1_1", of="squeezenet1_0")
    with pytest.raises(VizkitError, match=rf"squeezenet1_1.*delete .*{file.name}"):
        vizkit.load("squeezenet1_1")


def test_a_download_that_arrives_damaged_is_an_error_and_leaves_no_file(cache, monkeypatch):
    monkeypatch.setattr("torch.hub.urlopen", lambda *_, **__: Response(b"half a file"))
    with pytest.raises(VizkitError, match="squeezenet1_1"):
        vizkit.load("squeezenet1_1")
    assert not list(cache.iterdir())


def test_no_network_and_no_file_is_an_error_that_says_what_to_do(cache):
    with pytest.raises(VizkitError) as caught:
        vizkit.load("vgg16")
    message = str(caught.value)
    assert "vizkit.load()" in message
    assert "no route to host" in message
    assert published("vgg16").url in message
    assert str(cache / "vgg16-397923af.pth") in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "vgg61"}, "Nearest:.*vgg16"),
        ({"name": "zzzz"}, r"vizkit\.networks\(\)"),
        ({"name": "resnet50", "weights": "V7"}, "IMAGENET1K_V1, IMAGENET1K_V2"),
    ],
)
def test_an_unknown_network_or_version_is_an_error_with_the_known_ones(arguments, message):
    with pytest.raises(VizkitError, match=message):
        vizkit.load(**arguments)
