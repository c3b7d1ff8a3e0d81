"""Code and saved pictures make the same bits again, and reading a file runs nothing of it."""

import base64
import json
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import RGB
from PIL import Image, PngImagePlugin

import vizkit
from vizkit import Diverged, Fourier, VizkitError

OLD = sorted((Path(__file__).parent / "saved_by_0.1.0").glob("*.png"))
PHOTO = np.random.default_rng(0).integers(40, 200, (12, 16, 3), dtype=np.uint8)
VIEWS = vizkit.jitter(3) + vizkit.scale_and_rotate(10, scale=0.2)


@pytest.fixture(autouse=True)
def own_regularizers(monkeypatch):
    """What a test registers is gone after it."""
    monkeypatch.setattr(vizkit.regularizers, "_known", vizkit.regularizers.catalogue())


# The same bits again.


def turned(tiny):
    """Every knob is turned on the way, two at once."""
    ascent = vizkit.ascend(tiny, "star", regularizer=vizkit.l2(1e-3) + VIEWS, optimizer="adam", steps=10)
    for step in ascent:
        if step.index == 2:
            ascent.regularizer = vizkit.total_variation(1e-2) + vizkit.gaussian_blur(0.5, every=2) + vizkit.jitter(2)
        if step.index == 4:
            ascent.learning_rate, ascent.objective = 0.2, "log_probability"
        if step.index == 8:
            ascent.regularizer = vizkit.total_variation(1e-3) + vizkit.jitter(2)
    return ascent


def turned_before_it_began(tiny):
    ascent = vizkit.ascend(tiny, "star", steps=5)
    ascent.regularizer, ascent.learning_rate = vizkit.l1(1e-3), 0.3
    return ascent


def stopped_early(tiny):
    ascent = vizkit.ascend(tiny, "star", regularizer=VIEWS, steps=50)
    for _ in range(4):
        next(ascent)
    ascent.finish()
    return ascent


def stopped_while_fading(tiny):
    ascent = vizkit.ascend(tiny, "star", optimizer="adam", schedule="fading", steps=10)
    for _ in range(4):
        next(ascent)
    ascent.finish()
    return ascent


def stopped_at_once(tiny):
    ascent = vizkit.ascend(tiny, "star", steps=50)
    ascent.finish()
    return ascent


def taken_up_again(tiny):
    ascent = vizkit.ascend(tiny, "star", regularizer=VIEWS, optimizer="momentum", steps=3).run()
    ascent.steps, ascent.learning_rate = 6, 0.1
    return ascent.run()


def ended_by_lowering_its_steps(tiny):
    """Below the step that it is at, as a person does who types: the default recipe, which fades."""
    ascent = vizkit.ascend(tiny, "star", recipe="small")
    for step in ascent:
        if step.index == 6:
            ascent.steps = 4
    return ascent


def lowered_and_raised(tiny):
    ascent = vizkit.ascend(tiny, "star", optimizer="adam", schedule="fading", steps=12)
    for step in ascent:
        if step.index in (3, 6):
            ascent.steps = 9 if step.index == 3 else 20
        if step.index == 10:
            ascent.steps = 2
    return ascent


def turned_and_never_gone_on(tiny):
    ascent = vizkit.ascend(tiny, "star", schedule="fading", steps=5).run()
    ascent.turn(steps=30, learning_rate=0.01, regularizer=vizkit.l1(1))
    return ascent


def interrupted(tiny):
    """In the middle of an update, by an optimizer that remembers."""
    steps = [4]

    @vizkit.regularizer("projection", strengths=None)
    def once(image, step):
        if [step] == steps:
            steps.clear()
            raise KeyboardInterrupt
        return image

    ascent = vizkit.ascend(tiny, "star", optimizer="adam", regularizer=vizkit.l2(1e-3) + once(), steps=9)
    with pytest.raises(KeyboardInterrupt):
        ascent.run()
    return ascent.run()


def diverged_and_gone_on(tiny):
    """Twice: the image is lost in an update, and the penalty of an image is not finite."""
    ascent = vizkit.ascend(tiny, "star", regularizer=vizkit.lp(1e-3), optimizer="momentum", steps=12)
    for at, rate in ((3, 1e38), (7, 1e20)):
        ascent.learning_rate = 0.01
        while ascent.step < at:
            next(ascent)
        ascent.learning_rate = rate
        with pytest.raises(Diverged):
            ascent.run()
    ascent.turn(learning_rate=0.01, regularizer=vizkit.decay(0.1))
    return ascent.run()


RUNS = {
    "ended by lowering its steps": ended_by_lowering_its_steps,
    "lowered and raised": lowered_and_raised,
    "turned and never gone on": turned_and_never_gone_on,
    "interrupted": interrupted,
    "diverged and gone on": diverged_and_gone_on,
    "pixels": lambda net: vizkit.ascend(net, "star", regularizer=vizkit.l2(1e-3), learning_rate=0.5, steps=5, seed=7),
    "fourier": lambda net: vizkit.ascend(net, "star", basis=Fourier(exponent=1.3, decorrelate=False), steps=5),
    "views": lambda net: vizkit.ascend(net, "star", regularizer=VIEWS, optimizer="rmsprop", steps=5, seed=-1),
    "zero": lambda net: vizkit.ascend(net, 3, start="zero", objective="probability", learning_rate=30, steps=5),
    "two targets": lambda net: vizkit.ascend(net, ["star", "cross"], regularizer=VIEWS + vizkit.clamp(), steps=5),
    "a strength an image": lambda net: vizkit.ascend(net, "star", regularizer=vizkit.l2([0, 1e-3, 0.1]), steps=5),
    "turned": turned,
    "turned before it began": turned_before_it_began,
    "faded": lambda net: vizkit.ascend(net, "star", schedule="fading", steps=6),
    "in equal progress": lambda net: vizkit.ascend(net, "star", schedule="progress", learning_rate=0.1, steps=6),
    "options": lambda net: vizkit.ascend(net, 0, optimizer="adam", optimizer_options={"betas": (0.5, 0.9)}, steps=6),
    "stopped early": stopped_early,
    "stopped while fading": stopped_while_fading,
    "stopped at once": stopped_at_once,
    "taken up again": taken_up_again,
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS.keys())
def test_a_file_and_the_code_make_the_picture_again(tiny, tmp_path, run):
    ascent = run(tiny)
    if not ascent.history:
        ascent.run()
    again = vizkit.reproduce(ascent.save(tmp_path / "saved.png"), tiny)
    names = {}
    exec(ascent.code().replace(tiny.code, "NET"), {"NET": tiny}, names)
    for other in (again, names["ascent"]):
        assert torch.equal(other.image, ascent.image)
        assert (other.step, other.labels, other.seed) == (ascent.step, ascent.labels, ascent.seed)
    assert again.code() == ascent.code() or run is diverged_and_gone_on  # which turned knobs that came to nothing
    with Image.open(tmp_path / "saved.png") as picture:
        assert np.array_equal(np.array(picture), vizkit.images.tile(again.pictures))


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_a_picture_that_version_0_1_0_saved_comes_back(tiny, path):
    again = vizkit.reproduce(path, tiny)
    with Image.open(path) as picture:
        apart = np.abs(np.array(picture).astype(int) - vizkit.images.tile(again.pictures))
    assert (apart.max() <= 8, apart.mean() < 0.5) == (True, True)  # another processor rounds otherwise


def test_a_file_names_the_versions_that_made_it(tiny, tmp_path):
    file = vizkit.ascend(tiny, "star", steps=1).run().save(tmp_path / "saved.png")
    with Image.open(file) as picture:
        assert picture.info["Software"] == f"vizkit {vizkit.__version__}, torch {torch.__version__}"


def test_progress_is_shown_while_a_picture_is_made_again(tiny, tmp_path, capsys):
    file = vizkit.ascend(tiny, "star", steps=3).run().save(tmp_path / "saved.png")
    vizkit.reproduce(file, tiny, progress=True)
    assert "step 3 of 3" in capsys.readouterr().out


@pytest.mark.parametrize("stop", [1, 3], ids=["while writing", "before it has its name"])
def test_a_file_appears_whole_or_not_at_all(tiny, tmp_path, monkeypatch, stop):
    ascent = vizkit.ascend(tiny, "star", steps=2).run()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes" if stop == 1 else "replace", full)
    for write in (ascent.save, lambda path: vizkit.figures.gif(ascent, path)):
        with pytest.raises(OSError, match="No space left"):
            write(tmp_path / "star.png")
        assert os.listdir(tmp_path) == []


def test_code_and_file_of_the_builtin_cnn_need_nothing_else(net, tmp_path):
    ascent = vizkit.ascend(net, "flamingo", recipe="vizkit", steps=2, seed=3).run()
    names = {}
    exec(ascent.code(), names)
    assert torch.equal(names["ascent"].image, ascent.image)
    assert torch.equal(vizkit.reproduce(ascent.save(tmp_path / "saved.png")).image, ascent.image)


STARTS = {
    "bytes": lambda folder: PHOTO,
    "floats": lambda folder: PHOTO / 255,
    "PIL": lambda folder: Image.fromarray(PHOTO),
    "tensor": lambda folder: torch.linspace(-1, 1, 3 * 12 * 16).reshape(1, 3, 12, 16),
    "two tensors": lambda folder: torch.linspace(-1, 1, 2 * 3 * 12 * 16).reshape(2, 3, 12, 16),
    "path": lambda folder: folder / "photo.png",
    "path as text": lambda folder: str(folder / "photo.png"),
}


@pytest.mark.parametrize("basis", ["pixels", "fourier"])
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS.keys())
def test_a_saved_picture_carries_the_start_that_was_given(tiny, tmp_path, basis, start):
    Image.fromarray(PHOTO).save(tmp_path / "photo.png")
    start = start(tmp_path)
    ascent = vizkit.ascend(tiny, ["star", "cross"], start=start, basis=basis, learning_rate=0.5, steps=4).run()
    if isinstance(start, torch.Tensor):
        start.zero_()  # the caller's, to do with as they like
    (tmp_path / "photo.png").unlink()
    again = vizkit.reproduce(ascent.save(tmp_path / "saved.png"), tiny)
    assert torch.equal(again.image, ascent.image)
    names = {}
    exec(ascent.code().replace(tiny.code, "NET"), {"NET": tiny, "photo": ascent.initial.start}, names)
    assert torch.equal(names["ascent"].image, ascent.image)


def test_a_large_start_image_comes_back_from_its_file(make_cnn, tmp_path):
    net = vizkit.Classifier(make_cnn(3, 4), **(RGB | {"size": 400}), device="cpu")
    start = torch.randn(1, 3, 400, 400, generator=torch.Generator().manual_seed(0))
    ascent = vizkit.ascend(net, 1, start=start, steps=1).run()
    assert torch.equal(vizkit.reproduce(ascent.save(tmp_path / "saved.png"), net).image, ascent.image)


@pytest.mark.parametrize("label", ["two words", "it's", 'say "a"', "\\n", " spaces ", "line\nbreak", "twice"], ids=repr)
def test_code_names_any_class(make_cnn, label):
    net = vizkit.Classifier(make_cnn(3, 4), ["twice", "Twice", "twice", label], **RGB, device="cpu")
    ascent = vizkit.ascend(net, 3, steps=1).run()
    names = {}
    exec(ascent.code().replace(net.code, "NET"), {"NET": net}, names)
    assert names["ascent"].targets == [3]


def test_code_with_a_regularizer_of_ones_own_runs_where_it_is_defined(tiny, monkeypatch):
    @vizkit.regularizer("penalty", strengths=(1e-6, 1))
    def roughness(image, power=2):
        return image.diff(dim=-1).abs().pow(power).sum(dim=(1, 2, 3))

    ascent = vizkit.ascend(tiny, "star", regularizer=roughness(0.1, power=3), steps=3).run()
    names = {}
    exec(ascent.code().replace(tiny.code, "NET"), {"NET": tiny}, names)
    assert torch.equal(names["ascent"].image, ascent.image)


class Half(vizkit.Pixels):
    """A basis of one's own."""

    def decode(self, net, parameters):
        return parameters / 2


YOURS = {
    "optimizer": {"optimizer": lambda p: torch.optim.SGD(p, lr=1), "learning_rate": 0.5},
    "basis": {"basis": Half()},
}


@pytest.mark.parametrize("what", YOURS)
def test_a_picture_is_saved_with_whatever_made_it_and_says_what_to_pass(tiny, tmp_path, what):
    ascent = vizkit.ascend(tiny, "star", steps=3, **YOURS[what]).run()
    with pytest.warns(UserWarning, match=rf"{what} .*reproduce\(path, {what}=…\)"):
        file = ascent.save(tmp_path / "saved.png")
    with Image.open(file) as picture:
        assert np.array_equal(np.array(picture), ascent.picture)
    with pytest.raises(VizkitError, match=what):
        vizkit.reproduce(file, tiny)
    again = vizkit.reproduce(file, tiny, **{what: YOURS[what][what]})
    assert torch.equal(again.image, ascent.image)
    names = {}
    exec(ascent.code().replace(tiny.code, "NET"), {"NET": tiny, what: YOURS[what][what]}, names)
    assert torch.equal(names["ascent"].image, ascent.image)


# What a file may not hold.

HACK = '__import__("pathlib").Path("hacked").touch()'


CODE = """
import vizkit

net = NET
ascent = vizkit.ascend(net, 'star', regularizer=REGULARIZER, steps=2, seed=0)
for step in ascent:
    if step.index == 1:
        ascent.learning_rate = 0.1
"""
REGULARIZERS = [
    *("l2(1e-4)", "5", "'vizkit.l2(1e-4)'", "vizkit.l9(1)", "vizkit.__class__(1)", "vizkit.load('x')", "vizkit.ascend"),
    *("vizkit.l2(1, p=3)", "vizkit.lp(1, p=[3])", "vizkit.lp(1, p={})", "vizkit.lp(1, p=1e999)", "vizkit.lp(1, p='x')"),
    *("vizkit.gaussian_blur(1, every='x')", "vizkit.gaussian_blur(1, every=None)", "vizkit.l2(1, strength=2)"),
    *(
        "vizkit.l2(1, self=2)",
        "vizkit.l2(1, **{'p': 2})",
        "vizkit.l2(*[1])",
        "vizkit.jitter('x')",
        "vizkit.jitter(nan)",
    ),
    *(
        "vizkit.jitter(1e999)",
        "vizkit.jitter(-1)",
        f"vizkit.jitter({10**400})",
        "vizkit.jitter({})",
        "vizkit.jitter([])",
    ),
    *("vizkit.jitter(['1', '2'])", "vizkit.jitter(True)", "vizkit.crops(0.5, centre_spread={})", "vizkit.jitter(2)()"),
    *(
        "vizkit.jitter(2) + 3",
        "(lambda: vizkit.jitter(2))()",
        "[vizkit.jitter(2) for _ in [1]][0]",
        "vizkit.side_by_side([])",
    ),
    *("vizkit.regularizers.l2(1)", f"[{HACK}][0]", HACK),
    *("vizkit.l2(" * 400 + "1" + ")" * 400, "vizkit.none()" + " + vizkit.none()" * 20_000 + " + 1"),
]
SETTINGS = [
    *(
        "steps='5'",
        "steps=-1",
        "steps=True",
        "steps=2.5",
        "learning_rate=nan",
        "learning_rate=1e999",
        "learning_rate=0",
    ),
    *(
        "optimizer='newton'",
        "optimizer=5",
        "optimizer=optimizer",
        "optimizer_options=5",
        "optimizer_options={'speed': 1}",
    ),
    *(
        "optimizer_options={'lr': 1}",
        "optimizer_options={'momentum': 'much'}",
        "schedule='never'",
        "objective=['score']",
    ),
    *("start='photo.png'", "start=open('x')", "start=photo", "basis='wavelets'", "basis=vizkit.Pixels(exponent=1)"),
    *("basis=vizkit.Pixels(spread='0.1')", "basis=vizkit.Fourier(exponent=1e999)", "basis=vizkit.Fourier(size=-4)"),
    *("basis=vizkit.Fourier(size=10**9)", "basis=vizkit.Fourier(size=9999999999)", "basis=vizkit.Fourier(scale=0.0)"),
    *("basis=vizkit.Fourier", "seed='0'", f"seed={2**70}", "seed=None", "net=5", "recipe='vizkit'", f"hook={HACK}"),
]
LINES = [
    *("ascent.steps = -1", "ascent.learning_rate = nan", "ascent.objective = ['score']", "ascent.__class__ = 5"),
    *(
        f"ascent.regularizer = {HACK}",
        "ascent.optimizer = 'adam'",
        "ascent.run()",
        HACK,
        "steps = 5",
        "del ascent.steps",
    ),
]
TARGETS = ["[99]", "['moon']", f"[{HACK}]", "[[0]]", "None", "[]", "1.0", "{}"]
FORGED = {
    **{f"regularizer {one[:40]}": {"vizkit.none()": one} for one in REGULARIZERS},
    **{f"setting {one[:40]}": {"steps=2, seed=0": one} for one in SETTINGS},
    **{f"line {one[:40]}": {"ascent.learning_rate = 0.1": one} for one in LINES},
    **{f"target {one[:40]}": {"'star'": one} for one in TARGETS},
    "no ascent": {"vizkit.ascend": "vizkit.load"},
    "two ascents": {"steps=2": "steps=vizkit.ascend(net, 0)"},
    "no code": {CODE: "Once upon a time"},
    "nothing": {CODE: " "},
    "far too long": {"import vizkit": "#" * 2_000_000},
    "deep": {"import vizkit": "(" * 100_000},
    "signs": {"'star'": "-" * 100_000 + "1"},
}


def write(text, start=None):
    metadata = PngImagePlugin.PngInfo()
    metadata.add_text("vizkit", text)
    if start is not None:
        metadata.add_text("vizkit start", json.dumps(start))
    Image.fromarray(PHOTO).save("forged.png", pnginfo=metadata)
    return "forged.png"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in, in which nothing that a file holds was run in the end."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not (tmp_path / "hacked").exists()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("change", FORGED.values(), ids=FORGED.keys())
def test_code_in_a_file_is_refused_unless_it_is_what_vizkit_writes(tiny, change):
    text = CODE.replace("REGULARIZER", "vizkit.none()")
    assert vizkit.reproduce(write(text), tiny).step == 2
    for before, after in change.items():
        text = after if before == CODE else text.replace(before, after)
    with pytest.raises(VizkitError):
        vizkit.reproduce(write(text), tiny)


@pytest.mark.usefixtures("here")
def test_what_stands_beside_the_code_in_a_file_is_not_run(tiny):
    text = f"{CODE.replace('REGULARIZER', 'vizkit.none()')}\n{HACK}\nimport antigravity"
    assert vizkit.reproduce(write(text), tiny).step == 2


def image(shape, text):
    return {"shape": shape, "float32": text}


PLAIN = {
    "regularizer": [{"name": "jitter", "strength": 8, "options": {}}],
    "steps": 2,
    "optimizer": "ascent",
    "optimizer_options": {},
    "learning_rate": 6.0,
    "schedule": "constant",
    "start": "random",
    "objective": "score",
    "basis": {"name": "pixels", "spread": 0.1},
    "name": "mine",
    "source": "",
}
GIVEN = PLAIN | {"start": "image"}
SETTINGS_0_1_0 = {
    "network": "vizkit.Classifier(...)  # yours",
    "targets": [2],
    "labels": ["star"],
    "seed": 0,
    "recipe": PLAIN,
    "changes": [],
}
PACKED = base64.b64encode(zlib.compress(np.zeros((1, 3, 12, 16), "<f4").tobytes())).decode()
BOMB = base64.b64encode(zlib.compress(bytes(10**8))).decode()


def part(name, strength=8, /, **options):
    return [{"name": name, "strength": strength, "options": options}]


FORGERIES = {
    "recipe is text": {"recipe": HACK},
    "recipe is damaged": {"recipe": {}},
    "recipe opens a file": {"recipe": PLAIN | {"start": "forged.png"}},
    "recipe has a start that is not there": {"recipe": PLAIN | {"start": "image"}},
    "optimizer has an unknown option": {"recipe": PLAIN | {"optimizer_options": {"speed": 1}}},
    "optimizer has an option twice": {"recipe": PLAIN | {"optimizer_options": {"lr": 1}}},
    "optimizer has an option that cannot be": {"recipe": PLAIN | {"optimizer_options": {"momentum": "much"}}},
    "targets unknown": {"targets": [99]},
    "targets code": {"targets": [HACK]},
    "targets nested": {"targets": [[0]]},
    "targets none": {"targets": None},
    "seed text": {"seed": "0"},
    "seed huge": {"seed": 2**70},
    "changes a number": {"changes": 5},
    "changes too short": {"changes": [[1, "learning_rate"]]},
    "changes at no step": {"changes": [["x", "learning_rate", 1.0]]},
    "changes at infinity": {"changes": [[float("inf"), "learning_rate", 1.0]]},
    "changes an unknown knob": {"changes": [[1, "__class__", HACK]]},
    "changes the steps": {"changes": [[1, "steps", -1]]},
    "changes to code": {"changes": [[1, "regularizer", HACK]]},
    "changes to a damaged regularizer": {"changes": [[1, "regularizer", part("l2", 1, strength=1)]]},
    "changes to another batch": {"changes": [[1, "regularizer", part("l2", [1, 2])]]},
    "changes to NaN": {"changes": [[1, "learning_rate", float("nan")]]},
    "changes to a list": {"changes": [[1, "objective", ["score"]]]},
    **{
        f"{name} {str(value)[:30]}": {"recipe": PLAIN | {name: value}}
        for name, values in {
            "regularizer": ["l2(1e-4)", 5, ["l2"], part("l9"), part(HACK), part("l2", 1, p=3), part("jitter", "x")],
            "steps": ["5", -1, True, None],
            "learning_rate": [float("nan"), float("inf"), "1"],
            "optimizer": ["newton", None, {}],
            "basis": ["pixels", None, {}, {"name": "wavelets"}, {"name": "pixels", "exponent": 1}],
        }.items()
        for value in values
    },
    "image is far larger than its shape": {"recipe": PLAIN | {"start": "image"}, "image": image([1, 3, 12, 16], BOMB)},
    "image is text": {"recipe": GIVEN, "image": HACK},
    "image is no base64": {"recipe": GIVEN, "image": image([1, 3, 12, 16], "§")},
    "image is not compressed": {"recipe": GIVEN, "image": image([1, 3, 12, 16], "AAAA")},
    "image has another shape": {"recipe": GIVEN, "image": image([1, 3, 16, 12], PACKED)},
    "image has no such shape": {"recipe": GIVEN, "image": image([7], PACKED)},
    "image has an endless shape": {"recipe": GIVEN, "image": image([10**40], PACKED)},
    "image has a shape of text": {"recipe": GIVEN, "image": image(["a"], PACKED)},
    "image is not finite": {
        "recipe": GIVEN,
        "image": image(
            [1, 3, 12, 16], base64.b64encode(zlib.compress(np.full((576,), np.nan, "<f4").tobytes())).decode()
        ),
    },
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("changes", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_file_of_version_0_1_0_with_damaged_settings_is_refused(tiny, changes):
    with pytest.raises(VizkitError):
        vizkit.reproduce(write(json.dumps(SETTINGS_0_1_0 | changes)), tiny)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("text", ["{", "{}", "[]", "null", HACK, "{" * 100_000, '{"a":' * 5000])
def test_a_file_whose_settings_are_none_is_refused(tiny, text):
    with pytest.raises(VizkitError):
        vizkit.reproduce(write(text), tiny)


def test_a_picture_without_settings_or_with_far_too_long_ones_is_refused(tiny, tmp_path):
    for name in ("plain.png", "plain.jpg"):
        Image.fromarray(PHOTO).save(tmp_path / name)
        with pytest.raises(VizkitError, match="carries no settings"):
            vizkit.reproduce(tmp_path / name, tiny)
    metadata = PngImagePlugin.PngInfo()
    metadata.add_text("vizkit", " " * 10**8, zip=True)
    Image.fromarray(PHOTO).save(tmp_path / "bomb.png", pnginfo=metadata)
    with pytest.raises(VizkitError):
        vizkit.reproduce(tmp_path / "bomb.png", tiny)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "network", ["vizkit.Classifier(...)  # yours", "None", "5", HACK, f"vizkit.load({HACK})", "vizkit.load('l9')"]
)
def test_a_picture_of_a_network_that_the_file_cannot_name_asks_for_it(network):
    text = CODE.replace("REGULARIZER", "vizkit.none()")
    for written in (text.replace("NET", network), json.dumps(SETTINGS_0_1_0 | {"network": network})):
        with pytest.raises(VizkitError, match=r"vizkit\.reproduce\(path, net\)|l9|not in the file|cannot be read"):
            vizkit.reproduce(write(written))
