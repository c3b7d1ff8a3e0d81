"""Any module: each kind works, or one sentence says what to pass. And weights from a file, of which no code is run."""

import argparse
import copy
import pickle
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import torchvision
from conftest import RGB, small_cnn
from torch import Tensor, nn

import vizkit
from vizkit import VizkitError

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*torch.jit",
    "ignore:.*quantiz",
    "ignore:Detected pickle protocol",
    "ignore:Converting a tensor to a Python boolean",
)

RAW = {"size": 32, "mean": 0, "std": 1}
ANY_BATCH = ({0: torch.export.Dim("batch")},)
HOW_TO_EXPORT = r"torch\.export\.export\(cnn\.eval\(\)"


class Cnn(nn.Module):
    """The small CNN with something else around it."""

    def __init__(self, forward=None):
        super().__init__()
        self.cnn = small_cnn(3, 5)
        self.around = forward or (lambda cnn, image: cnn(image))

    def forward(self, image):
        return self.around(self.cnn, image)


class Output(OrderedDict):
    """As transformers has it: a dict whose keys are attributes and whose values are indexed, too."""

    def __getattr__(self, name):
        return self[name]

    def __getitem__(self, key):
        return list(self.values())[key] if isinstance(key, int) else super().__getitem__(key)


@dataclass
class Answer:
    logits: Tensor
    features: Tensor


def features(cnn, image):
    return cnn[:4](image)


def as_dict(cnn, image):
    return {"logits": cnn(image), "features": features(cnn, image)}


def as_tuple(cnn, image):
    return cnn(image), features(cnn, image), cnn[0](image)


class Viewed(nn.Module):
    """The tutorials' way to flatten, which asks for the usual memory layout."""

    def __init__(self):
        super().__init__()
        self.convolution, self.last = nn.Conv2d(3, 4, 5, 4), nn.Linear(4 * 7 * 7, 5)

    def forward(self, image):
        return self.last(torch.relu(self.convolution(image)).view(-1, 4 * 7 * 7))


class NormalisesInside(nn.Module):
    """Its mean is a plain attribute, in double precision, and it writes over the image that it is given."""

    def __init__(self, channels=3):
        super().__init__()
        self.cnn = small_cnn(channels, 5)
        self.mean = torch.full((1, channels, 1, 1), 0.45, dtype=torch.float64)

    def forward(self, image):
        image -= self.mean
        return self.cnn(image / 0.25)


class FixedBatch(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn = small_cnn(3, 5)

    def forward(self, image):
        return self.cnn[4](self.cnn[:3](image).reshape(1, 64))


class TrainsParts(nn.Module):
    """Has compiled and parallel parts inside, and modes of its own."""

    def __init__(self):
        super().__init__()
        self.first, self.rest = nn.DataParallel(small_cnn(3, 5)[0]), torch.compile(small_cnn(3, 5)[1:])

    def forward(self, image):
        return self.rest(self.first(image))

    def train(self, mode=True):
        super().train(mode)  # and forgets to return itself


def seeded(make, *given):
    """The same network each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make(*given)


def resnet():
    network = torchvision.models.resnet18()
    network.fc = nn.Linear(512, 5)
    return network


def vgg():
    """With few channels, so that it is quickly made."""
    convolutions = torchvision.models.vgg.make_layers([8, "M", 16, "M"], batch_norm=True)
    with torch.device("meta"):  # its own classifier is large
        network = torchvision.models.VGG(convolutions, init_weights=False)
    network.classifier = nn.Sequential(nn.Linear(16 * 49, 32), nn.ReLU(True), nn.Dropout(), nn.Linear(32, 10))
    network.classifier[-1] = nn.Linear(32, 5)
    return network


def transformer():
    options = {"image_size": 32, "patch_size": 8, "num_layers": 2, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 32}
    network = torchvision.models.VisionTransformer(**options, num_classes=5)
    nn.init.normal_(network.heads.head.weight)  # it begins at zero
    return network


def scripted():
    return torch.jit.script(small_cnn(3, 5))


def traced(module=None, batch=2):
    return torch.jit.trace((module or small_cnn(3, 5)).eval(), torch.rand(batch, 3, 32, 32))


def reloaded(module, path):
    torch.jit.save(module, path)
    return torch.jit.load(path)


def exported(module=None, batch=2, dynamic_shapes=ANY_BATCH):
    module = module or small_cnn(3, 5).eval()
    dtype = next(module.parameters()).dtype
    return torch.export.export(module, (torch.zeros(batch, 3, 32, 32, dtype=dtype),), dynamic_shapes=dynamic_shapes)


def compiled_in_place():
    module = small_cnn(3, 5)
    module.compile()
    return module


def in_inference_mode():
    with torch.inference_mode():
        return small_cnn(3, 5)


def in_numpy(cnn, image):
    return cnn(torch.from_numpy(image.numpy() * 2))


def without_gradient(cnn, image):
    with torch.no_grad():
        return cnn(image)


def with_a_root(cnn, image):
    return cnn(image) + (image.mean(dim=(1, 2, 3)) * 0).sqrt()[:, None]


def quantised():
    return torch.ao.quantization.quantize_dynamic(small_cnn(3, 5).eval(), {nn.Linear}, dtype=torch.qint8)


WORKS = {  # name: how to make it, and what the Classifier is told
    "a plain module": (lambda path: small_cnn(3, 5), RGB),
    "a state dict in its constructor": (
        lambda path: vizkit.load_weights(small_cnn(3, 5), saved(small_cnn(3, 5).state_dict(), path)),
        RGB,
    ),
    "TorchScript, scripted": (lambda path: scripted(), RGB),
    "TorchScript, traced": (lambda path: traced(), RGB),
    "TorchScript, from a file": (lambda path: reloaded(scripted(), path), RAW),
    "TorchScript, traced, from a file": (lambda path: reloaded(traced(), path), RAW),
    "TorchScript, half": (lambda path: scripted().half(), RGB),
    "TorchScript inside a module": (lambda path: nn.Sequential(scripted()), RGB),
    "an exported program": (lambda path: exported(), RAW),
    "the module of an exported program": (lambda path: exported().module(), RGB),
    "an exported program, bfloat16": (lambda path: exported(small_cnn(3, 5).eval().bfloat16()), RGB),
    "an exported program that returns a dict": (
        lambda path: exported(Cnn(as_dict).eval()),
        RGB | {"scores": "logits"},
    ),
    "compiled": (lambda path: torch.compile(small_cnn(3, 5)), RGB),
    "compiled in place": (lambda path: compiled_in_place(), RGB),
    "parallel": (lambda path: nn.DataParallel(small_cnn(3, 5)), RGB),
    "compiled and parallel": (lambda path: torch.compile(nn.DataParallel(small_cnn(3, 5))), RGB),
    "compiled and parallel parts": (lambda path: TrainsParts(), RGB),
    "half": (lambda path: small_cnn(3, 5).half(), RGB),
    "bfloat16": (lambda path: small_cnn(3, 5).bfloat16(), RGB),
    "double": (lambda path: small_cnn(3, 5).double(), RGB),
    "channels last": (lambda path: small_cnn(3, 5).to(memory_format=torch.channels_last), RGB),
    "made in inference mode": (lambda path: in_inference_mode(), RGB),
    "a dict": (lambda path: Cnn(as_dict), RGB | {"scores": "logits"}),
    "a tuple": (lambda path: Cnn(as_tuple), RGB | {"scores": 0}),
    "a list, from its end": (lambda path: Cnn(lambda *both: list(as_tuple(*both))[:1]), RGB | {"scores": -1}),
    "an output object": (lambda path: Cnn(lambda *both: Answer(*as_tuple(*both)[:2])), RGB | {"scores": "logits"}),
    "an output of transformers": (lambda path: Cnn(lambda *both: Output(as_dict(*both))), RGB | {"scores": "logits"}),
    "that output by index": (lambda path: Cnn(lambda *both: Output(as_dict(*both))), RGB | {"scores": 0}),
    "a function of the output": (lambda path: Cnn(as_tuple), RGB | {"scores": lambda output: output[0]}),
    "a function of one tensor": (lambda path: Cnn(), RGB | {"scores": torch.Tensor.double}),
    "its own normalisation": (lambda path: NormalisesInside(), RAW),
    "its own normalisation, gray": (lambda path: NormalisesInside(1), RAW),
    "a view after a convolution": (lambda path: Viewed(), RGB),
    "a Vision Transformer": (lambda path: transformer(), RGB),
    "a ResNet with a new head": (lambda path: resnet(), RGB),
    "a VGG with a new head": (lambda path: vgg(), RGB),
}


def saved(content, path):
    torch.save(content, path)
    return path


def state(module):
    """All of a module that a Classifier might have changed, and must not."""
    layers, parameters = list(module.modules()), list(module.parameters())
    return (
        [layer.training for layer in layers],
        [len(layer._forward_hooks) + len(layer._forward_pre_hooks) for layer in layers],
        [(one.requires_grad, one.dtype, one.device, one.grad, one.stride()) for one in parameters],
        {key: value.clone() for key, value in module.state_dict().items()},
        [(id(value), value.dtype) for layer in layers for value in vars(layer).values() if isinstance(value, Tensor)],
    )


def same(first, second):
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)
    return first == second


@pytest.mark.parametrize("kind", WORKS)
def test_a_kind_of_module_that_works(kind, tmp_path):
    make, options = WORKS[kind]
    given = seeded(make, tmp_path / "file.pt")
    module = given.module() if isinstance(given, torch.export.ExportedProgram) else given
    before = state(module)

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        net = vizkit.Classifier(given, **options, device="cpu")
        ascent = vizkit.ascend(net, 1, regularizer=vizkit.crops(0.6, count=2), steps=2).run()

    assert torch.isfinite(ascent.image).all()
    assert not torch.equal(ascent.image, ascent.start_image)
    plain = vizkit.ascend(net, 1, steps=2, learning_rate=1e-3).run()
    assert plain.history[-1].score > plain.history[0].score
    assert all(same(*both) for both in zip(before, state(module), strict=True))
    assert len(net.labels) == 5
    assert {one.dtype for one in net.network.parameters()} == {torch.float32}
    assert not any(one.requires_grad for one in net.network.parameters())

    # The oracle: the module itself, in its own precision.
    images = net.normalise(
        torch.rand(2, net.channels, net.height, net.width, generator=torch.Generator().manual_seed(1))
    )
    dtype = before[2][0][1]
    expected = evaluated(make, tmp_path, images.to(dtype))
    scores = options.get("scores")
    if callable(scores):
        expected = scores(expected)
    elif isinstance(scores, str) and not isinstance(expected, dict):
        expected = getattr(expected, scores)
    elif scores is not None:
        expected = expected[scores]
    loose = 0.05 if dtype in (torch.half, torch.bfloat16) else 1e-4
    assert torch.allclose(net(images).double(), expected.double(), atol=loose * float(expected.abs().max()))


def evaluated(make, folder, images):
    """What another of the same gives in eval mode, uncompiled."""
    module = seeded(make, folder / "again.pt")
    module = module.module() if isinstance(module, torch.export.ExportedProgram) else module
    if not isinstance(module, torch.fx.GraphModule):
        module.eval()
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):
        return module(images.clone())


class DropsOut(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn, self.dropout = small_cnn(3, 5), nn.Dropout(0.5)

    def forward(self, image):
        return self.cnn(self.dropout(image))


def no_stored_statistics():
    module = small_cnn(3, 5)
    module[0][1] = nn.BatchNorm2d(8, track_running_stats=False)
    return module


SENTENCES = {  # name: how to make it, what the Classifier is told, and what the error says
    "a file": (lambda: "cnn.pth", {}, r"cnn\.pth.*vizkit\.load_weights"),
    "a path": (lambda: Path("a/cnn.pt"), {}, r"a.cnn\.pt.*load_weights"),
    "a name": (lambda: "vgg16", {}, r'"vgg16".*vizkit\.load'),
    "a state dict": (
        lambda: small_cnn(3, 5).state_dict(),
        {},
        r"OrderedDict.*load_weights",
    ),
    "a class": (lambda: Cnn, {}, r"not Cnn.*Call a class"),
    "a function": (lambda: lambda image: image, {}, r"torch\.nn\.Module"),
    "nothing": (lambda: None, {}, r"takes a torch\.nn\.Module, not NoneType"),
    "a lazy module": (lambda: nn.Sequential(nn.LazyConv2d(3, 3)), {}, "lazy layers.*run one image through it first"),
    "on meta": (lambda: small_cnn(3, 5).to("meta"), {}, "device meta.*on the CPU"),
    "a dict, nothing picked": (
        lambda: Cnn(as_dict),
        {},
        r"Cnn returns dict .*\(1, 5\).*scores=\"logits\"",
    ),
    "a dict of other names, with labels": (
        lambda: Cnn(lambda cnn, image: {"x": features(cnn, image), "y": cnn(image)}),
        {"labels": list("abcde")},
        'pass scores="x" or "y"',
    ),
    "a dict of other names, without": (
        lambda: Cnn(lambda cnn, image: {"x": features(cnn, image), "y": cnn(image)}),
        {},
        'pass scores="x" or "y"',
    ),
    "a tuple, nothing picked": (
        lambda: Cnn(lambda cnn, image: (cnn(image), image)),
        {},
        r"\(1, 5\).*\(1, 3, 32, 32\).*pass scores=0",
    ),
    "nothing returned": (lambda: Cnn(lambda cnn, image: None), {}, r"NoneType.*scores=… with a function"),
    "an output object, nothing picked": (
        lambda: Cnn(lambda cnn, image: Answer(cnn(image), cnn[0](image))),
        {},
        r'Answer .*\(1, 5\).*pass scores="logits"',
    ),
    "another key": (lambda: Cnn(as_dict), {"scores": "logit"}, r'logit.*pass scores="logits"'),
    "another index": (lambda: Cnn(as_tuple), {"scores": 3}, r"scores=3 .*pass scores=0"),
    "another attribute": (
        lambda: Cnn(lambda *both: Answer(*as_tuple(*both)[:2])),
        {"scores": "score"},
        r'score.*pass scores="logits"',
    ),
    "a pick of no tensor": (
        lambda: Cnn(lambda cnn, image: {"a": [cnn(image)], "b": cnn(image)}),
        {"scores": "a"},
        r'list.*\(1, 5\).*pass scores="b"',
    ),
    "a function that fails": (
        lambda: Cnn(as_dict),
        {"scores": lambda output: output["probabilities"]},
        r"'probabilities'.*logits",
    ),
    "a pick from one tensor": (lambda: Cnn(), {"scores": 0}, r"one tensor \(1, 5\).*leave out scores="),
    "a pick of features": (lambda: Cnn(as_tuple), {"scores": 2}, r"\(1, 8, 16, 16\).*last layer missing"),
    "a fixed batch": (lambda: FixedBatch(), {}, "takes one image, but not two.*fixed batch size"),
    "a batch made one": (
        lambda: Cnn(lambda cnn, image: cnn(image).mean(dim=0, keepdim=True)),
        {},
        r"\(1, 5\) for one image, \(1, 5\) for two.*fixed batch size",
    ),
    "traced with a fixed batch": (
        lambda: traced(FixedBatch(), 1),
        {},
        r"not two at once.*Pass the network",
    ),
    "traced in training mode": (
        lambda: torch.jit.trace(DropsOut().train(), torch.rand(2, 3, 32, 32), check_trace=False),
        {},
        r"draws or remembers.*Pass the network",
    ),
    "dropout that is always on": (
        lambda: Cnn(lambda cnn, image: nn.functional.dropout(cnn(image))),
        {},
        r"draws or remembers.*training=self\.training",
    ),
    "exported with a batch of one": (
        lambda: exported(batch=1, dynamic_shapes=None),
        {},
        f"not two at once.*{HOW_TO_EXPORT}",
    ),
    "exported with a batch of two": (
        lambda: exported(dynamic_shapes=None),
        {},
        f"cannot take an image.*{HOW_TO_EXPORT}",
    ),
    "exported for another size": (lambda: exported(), {"size": 64}, r"cannot take an image.*Check size"),
    "dynamically quantised": (quantised, {}, "No gradient comes back.*quantised"),
    "no gradient": (
        lambda: Cnn(without_gradient),
        {},
        r"No gradient comes back from the scores of Cnn.*torch\.no_grad",
    ),
    "detached": (lambda: Cnn(lambda cnn, image: cnn(image.detach())), {}, "No gradient comes back"),
    "of numpy": (lambda: Cnn(in_numpy), {}, "No gradient comes back.*numpy"),
    "the best class alone": (
        lambda: Cnn(lambda cnn, image: nn.functional.one_hot(cnn(image).argmax(1), 5).float()),
        {},
        "No gradient comes back.*argmax",
    ),
    "a gradient that is not finite": (lambda: Cnn(with_a_root), {}, "gradient of Cnn is not finite.*small number"),
}


@pytest.mark.parametrize("kind", SENTENCES)
def test_a_kind_of_module_that_is_told_what_to_pass(kind):
    make, options, message = SENTENCES[kind]
    with pytest.raises(VizkitError, match=message):
        vizkit.Classifier(make(), **(RGB | options), device="cpu")


DOUBTS = {
    "exported in training mode": (lambda: exported(small_cnn(3, 5).train()), f"another is beside it.*{HOW_TO_EXPORT}"),
    "a softmax": (lambda: nn.Sequential(small_cnn(3, 5), nn.Softmax(1)), "are probabilities.*softmax or sigmoid off"),
    "a log-softmax": (lambda: nn.Sequential(small_cnn(3, 5), nn.LogSoftmax(1)), "are log-probabilities"),
    "batch norm without statistics": (no_stored_statistics, "another is beside it.*class models of one batch"),
    "a sigmoid": (lambda: nn.Sequential(small_cnn(3, 1), nn.Sigmoid()), "what a sigmoid makes of raw ones"),
    "rounding": (lambda: Cnn(lambda cnn, image: cnn((image * 255).round())), "No score of Cnn changes.*round"),
}


@pytest.mark.parametrize("kind", DOUBTS)
def test_a_kind_of_module_that_works_with_a_warning(kind):
    make, message = DOUBTS[kind]
    torch.manual_seed(0)  # what dropout keeps is chance
    with pytest.warns(UserWarning, match=message) as caught:
        net = vizkit.Classifier(make(), **RGB, device="cpu")
    assert [Path(one.filename).name for one in caught] == [Path(__file__).name]
    ascent = vizkit.ascend(net, 0, steps=2)
    ascent.quiet = True
    assert ascent.run().image.isfinite().all()


def test_what_is_no_softmax_gives_no_warning(recwarn):
    vizkit.Classifier(nn.Sequential(small_cnn(3, 5), nn.Softmax(1)), **RGB, device="cpu", scores=torch.log)
    assert not recwarn.list


class ActsInPlace(nn.Module):
    """Needs its activation to write over its input, or else has none."""

    def __init__(self):
        super().__init__()
        self.cnn, self.activation = small_cnn(3, 5), nn.ReLU(inplace=True)

    def forward(self, image):
        features = self.cnn[0][:2](image)
        self.activation(features)
        return self.cnn[1:](features)


@pytest.mark.parametrize("make", [vgg, resnet, ActsInPlace])
def test_layers_write_over_their_input_only_where_the_scores_need_it(make):
    module = seeded(make)
    net = vizkit.Classifier(module, **RGB, device="cpu")
    in_place = [layer for layer in net.network.modules() if getattr(layer, "inplace", False)]
    assert bool(in_place) == (make is ActsInPlace)
    images = torch.rand(2, 3, 32, 32)
    expected = module.eval()(images)
    assert torch.allclose(net(images), expected, atol=1e-4 * float(expected.detach().abs().max()))


def test_a_module_of_one_size_gets_images_of_that_size():
    net = vizkit.Classifier(transformer(), **RGB, device="cpu")
    assert not net.any_size
    assert net(torch.zeros(1, 3, 48, 20)).shape == (1, 5)
    ascent = vizkit.recipe("vizkit").ascend(net, 0, steps=2).run()
    assert not torch.equal(ascent.image, ascent.start_image)
    assert not vizkit.Classifier(exported(), **RGB, device="cpu").any_size
    assert vizkit.Classifier(scripted(), **RGB, device="cpu").any_size


def test_a_smaller_image_that_comes_out_as_another_batch_is_not_any_size():
    quarter = nn.Sequential(nn.AvgPool2d(2), nn.Unflatten(1, (1, 3)), nn.Flatten(0), nn.Unflatten(0, (-1, 3 * 14 * 2)))
    module = nn.Sequential(quarter, nn.Unflatten(0, (-1, 7)), nn.Flatten(1), nn.Linear(3 * 14 * 14, 5))
    net = vizkit.Classifier(module, size=28, mean=(0, 0, 0), std=1, device="cpu")
    assert net(torch.zeros(2, 3, 20, 20)).shape == (2, 5)


def test_a_classifier_can_be_made_where_no_gradient_is_wanted():
    with torch.inference_mode():
        net = vizkit.Classifier(small_cnn(3, 5), **RGB, device="cpu")
    assert vizkit.ascend(net, 0, steps=1).run().image.isfinite().all()


# Weights from a file.


class Trap:
    """Pickles as an order to make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def trained():
    """As `small_cnn`, with weights of its own."""
    module = small_cnn(3, 5)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(1)
    return module


def holds(module, other):
    return same(module.state_dict(), other.state_dict())


WRAPPINGS = {
    "bare": lambda state: state,
    "state_dict": lambda state: {"epoch": 3, "state_dict": state, "optimizer": {"lr": 0.1}},
    "model_state_dict": lambda state: {"model_state_dict": state, "loss": torch.tensor(0.5)},
    "model": lambda state: {"model": state, "args": None},
    "two deep": lambda state: {"model": {"state_dict": state}},
    "DataParallel": lambda state: {f"module.{key}": value for key, value in state.items()},
    "compiled": lambda state: {f"_orig_mod.{key}": value for key, value in state.items()},
    "compiled in DataParallel": lambda state: {f"module._orig_mod.{key}": value for key, value in state.items()},
    "Lightning": lambda state: {"state_dict": {f"model.{key}": value for key, value in state.items()}},
    "Lightning, net": lambda state: {"state_dict": {f"net.{key}": value for key, value in state.items()}},
    "half": lambda state: {key: value.half() for key, value in state.items()},
    "before batches were counted": lambda state: {k: v for k, v in state.items() if "num_batches" not in k},
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_weights_are_found_in_every_usual_wrapping(wrapping, trained, tmp_path):
    if wrapping == "half":
        trained = trained.half().float()  # what half precision keeps
    path = saved(WRAPPINGS[wrapping](trained.state_dict()), tmp_path / "cnn.pth")
    module = small_cnn(3, 5)
    assert vizkit.load_weights(module, path) is module
    assert holds(module, trained)
    assert module.training
    assert vizkit.Classifier(module, **RGB, device="cpu").labels[4] == "class 4"


@pytest.mark.parametrize(
    "wrap", [torch.compile, nn.DataParallel, lambda cnn: nn.ModuleDict({"model": cnn}), torch.jit.script]
)
def test_a_wrapped_module_takes_bare_weights(wrap, trained, tmp_path):
    module = small_cnn(3, 5)
    wrapped = wrap(module)
    assert vizkit.load_weights(wrapped, str(saved(trained.state_dict(), tmp_path / "cnn.pth"))) is wrapped
    assert holds(module, trained)


def test_a_name_that_only_some_weights_begin_with_stays(trained, tmp_path):
    module, other = (
        nn.ModuleDict({"model": trained, "head": nn.Linear(2, 2)}),
        nn.ModuleDict({"model": small_cnn(3, 5)}),
    )
    other["head"] = nn.Linear(2, 2)
    assert holds(vizkit.load_weights(other, saved(module.state_dict(), tmp_path / "cnn.pth")), module)


def write_legacy_pickle(path):
    with path.open("wb") as stream:
        pickle.dump({"weight": 1}, stream, protocol=4)


FILES = {
    "missing": (lambda path: None, r"cnn\.pth is not there"),
    "a folder": (lambda path: path.mkdir(), r"cnn\.pth is not there, as a file"),
    "empty": (lambda path: path.write_bytes(b""), "not a checkpoint that torch.save has made"),
    "text": (lambda path: path.write_text("hello world, hello"), "not a checkpoint that torch.save has made"),
    "a whole module": (lambda path: saved(small_cnn(3, 5), path), r"holds code.*not run.*cnn\.state_dict\(\), path"),
    "other objects": (
        lambda path: saved({"state_dict": {}, "hyper_parameters": argparse.Namespace(a=1)}, path),
        "holds code.*not run",
    ),
    "a plain pickle": (write_legacy_pickle, "holds code.*not run"),
    "a list": (lambda path: saved([1, 2], path), "a list"),
    "one tensor": (lambda path: saved(torch.ones(2), path), "a Tensor"),
    "no state dict inside": (
        lambda path: saved({"epoch": 3, "weights": {"a": torch.ones(1)}}, path),
        r"epoch.*weights.*load_state_dict",
    ),
    "an empty dict": (lambda path: saved({}, path), "a dict of"),
    "numbers for names": (lambda path: saved({0: torch.ones(1)}, path), r"no state dict.*0"),
    "cut off": (
        lambda path: path.write_bytes(saved(small_cnn(3, 5).state_dict(), path).read_bytes()[:-2000]),
        "not a checkpoint that torch.save has made, or it is damaged",
    ),
    "damaged safetensors": (
        lambda path: path.write_bytes((8).to_bytes(8, "little") + b'{"a":{}}'),
        "a safetensors file, which is damaged",
    ),
    "TorchScript": (lambda path: torch.jit.save(scripted(), path), r"is a program.*torch\.jit\.load\(path\)"),
    "an exported program": (
        lambda path: torch.export.save(exported(), path.with_suffix(".pt2")) or path.with_suffix(".pt2").rename(path),
        r"is a program.*torch\.export\.load\(path\)",
    ),
    "another network": (
        lambda path: saved(nn.Linear(2, 2).state_dict(), path),
        r"(?s)does not fit Sequential.*0\.0\.weight",
    ),
    "another head": (
        lambda path: saved(small_cnn(3, 7).state_dict(), path),
        r"(?s)head.*4\.weight.*7, 64.*5, 64",
    ),
    "one name more of its own": (
        lambda path: saved(small_cnn(3, 5).state_dict() | {"4.scale": torch.ones(5)}, path),
        r"(?s)Sequential.*4\.scale",
    ),
    "a number for a tensor": (
        lambda path: saved(small_cnn(3, 5).state_dict() | {"4.bias": 3}, path),
        "no state dict",
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_holds_no_weights_for_it_changes_nothing(kind, tmp_path):
    make, message = FILES[kind]
    path = tmp_path / "cnn.pth"
    make(path)
    module = small_cnn(3, 5)
    before = copy.deepcopy(module)
    with pytest.raises(VizkitError, match=message):
        vizkit.load_weights(module, path)
    assert holds(module, before)


@pytest.mark.parametrize("how", ["torch.save", "old torch.save", "pickle"])
def test_code_in_a_file_is_never_run(how, tmp_path):
    path, sprung = tmp_path / "cnn.pth", tmp_path / "sprung"
    content = small_cnn(3, 5).state_dict() | {"trap": Trap(sprung)}
    if how == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "torch.save")
    with pytest.raises(
        VizkitError, match=r"holds code.*was not run.*torch\.save\(cnn\.state_dict\(\), path\)"
    ) as caught:
        vizkit.load_weights(small_cnn(3, 5), path)
    assert not sprung.exists()
    assert caught.value.__cause__ is None  # torch's own words would recommend weights_only=False
    if how != "pickle":
        torch.load(path, weights_only=False)
        assert sprung.exists()  # the trap was a real one


def test_a_load_that_fails_half_way_is_taken_back(trained, tmp_path):
    class Refuses(nn.Linear):
        def _load_from_state_dict(self, state, prefix, *rest):
            super()._load_from_state_dict(state, prefix, *rest)
            rest[-1].append("not mine")

    module = small_cnn(3, 5)
    module[4] = Refuses(64, 5)
    before = copy.deepcopy(module)
    with pytest.raises(VizkitError, match="not mine"):
        vizkit.load_weights(module, saved(trained.state_dict(), tmp_path / "cnn.pth"))
    assert holds(module, before)


def test_weights_go_into_a_network_and_nothing_else(tmp_path):
    with pytest.raises(VizkitError, match=r"not Cnn.*Call a class"):
        vizkit.load_weights(Cnn, tmp_path)
