"""Recipes, code and saved pictures make the same bits again, and a file can hold nothing but data."""

import base64
import json
import zlib

import numpy as np
import pytest
import torch
from conftest import RGB
from PIL import Image, PngImagePlugin

import vizkit
from vizkit import Fourier, Pixels, Recipe, VizkitError
from vizkit.recipes import recipes
from vizkit.saved import code_of, settings_of

PHOTO = np.random.default_rng(0).integers(40, 200, (12, 16, 3), dtype=np.uint8)
VIEWS = vizkit.jitter(3) + vizkit.scale_and_rotate(10, scale=0.2)


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
            ascent.regularizer = ascent.regularizer.with_strength(1e-3)
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


RUNS = {
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
def test_a_saved_picture_makes_its_run_again(tiny, tmp_path, run):
    ascent = run(tiny)
    if not ascent.finished:
        ascent.run()
    again = vizkit.reproduce(vizkit.figures.save(ascent, tmp_path / "saved.png"), tiny)
    assert torch.equal(again.image, ascent.image)
    assert np.array_equal(again.pictures, ascent.pictures)
    assert again.changes == ascent.changes
    assert again.step == ascent.step
    assert again.labels == ascent.labels


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS.keys())
def test_code_makes_the_run_that_it_is_of(tiny, run):
    ascent = run(tiny)
    if not ascent.finished:
        ascent.run()
    code = code_of(ascent)
    assert f"net = {tiny.code}" in code
    names = {}
    exec(code.replace(tiny.code, "NET"), {"NET": tiny}, names)
    assert torch.equal(names["ascent"].image, ascent.image)
    assert names["ascent"].changes == ascent.changes


def test_the_last_good_picture_of_a_run_that_diverged_comes_back(tiny, tmp_path):
    ascent = vizkit.ascend(tiny, "star", regularizer=vizkit.lp(1e-3), steps=9)
    for _ in range(2):
        next(ascent)
    ascent.learning_rate = 1e20
    with pytest.raises(vizkit.Diverged):
        ascent.run()
    path = vizkit.figures.save(ascent, tmp_path / "saved.png")
    assert np.array_equal(vizkit.reproduce(path, tiny).pictures, ascent.pictures)


def test_code_and_file_of_the_builtin_cnn_need_nothing_else(net, tmp_path):
    ascent = recipes()["vizkit"].ascend(net, "flamingo", steps=2, seed=3).run()
    names = {}
    exec(code_of(ascent), names)
    assert torch.equal(names["ascent"].image, ascent.image)
    assert torch.equal(vizkit.reproduce(vizkit.figures.save(ascent, tmp_path / "saved.png")).image, ascent.image)


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
    again = vizkit.reproduce(vizkit.figures.save(ascent, tmp_path / "saved.png"), tiny)
    assert torch.equal(again.image, ascent.image)
    assert "start='image'" not in code_of(ascent)  # no start that vizkit.ascend knows


def test_a_large_start_image_comes_back_from_its_file(make_cnn, tmp_path):
    net = vizkit.Classifier(make_cnn(3, 4), **(RGB | {"size": 400}), device="cpu")
    start = torch.randn(1, 3, 400, 400, generator=torch.Generator().manual_seed(0))
    ascent = vizkit.ascend(net, 1, start=start, steps=1).run()
    assert torch.equal(vizkit.reproduce(vizkit.figures.save(ascent, tmp_path / "saved.png"), net).image, ascent.image)


@pytest.mark.parametrize("label", ["two words", "it's", 'say "a"', "\\n", " spaces ", "line\nbreak", "twice"], ids=repr)
def test_code_names_any_class(make_cnn, label):
    net = vizkit.Classifier(make_cnn(3, 4), ["twice", "Twice", "twice", label], **RGB, device="cpu")
    ascent = vizkit.ascend(net, 3, steps=1).run()
    names = {}
    exec(code_of(ascent).replace(net.code, "NET"), {"NET": net}, names)
    assert names["ascent"].targets == [3]


def test_code_with_a_regularizer_of_ones_own_runs_where_it_is_defined(tiny, monkeypatch):
    monkeypatch.setattr(vizkit.regularizers, "_yours", dict(vizkit.regularizers._yours))

    @vizkit.regularizer("penalty", strengths=(1e-6, 1))
    def roughness(image, power=2):
        return image.diff(dim=-1).abs().pow(power).sum(dim=(1, 2, 3))

    ascent = vizkit.ascend(tiny, "star", regularizer=roughness(0.1, power=3), steps=3).run()
    names = {}
    exec(code_of(ascent).replace(tiny.code, "NET"), {"NET": tiny}, names)
    assert torch.equal(names["ascent"].image, ascent.image)


def test_what_cannot_be_written_down_says_so(tiny, tmp_path):
    ascent = vizkit.ascend(tiny, "star", optimizer=lambda p: torch.optim.SGD(p, lr=1, maximize=True), steps=1).run()
    for write in (code_of, settings_of, lambda run: vizkit.figures.save(run, tmp_path / "saved.png")):
        with pytest.raises(VizkitError, match="of your own"):
            write(ascent)
    assert not list(tmp_path.iterdir())


# Recipes.

EVERY = [
    *recipes().values(),
    Recipe(),
    Recipe(
        name="odd",
        source="a <b>source</b>",
        regularizer=vizkit.l2([0, 1e-3]) + vizkit.lp(1, p=4) + vizkit.clamp(),
        steps=0,
        optimizer="nadam",
        optimizer_options={"betas": (0.5, 0.9)},
        schedule="fading",
    ),
    Recipe(name="given", start="image", objective="probability", basis=Fourier(2, 0.5, False)),
]


@pytest.mark.parametrize("recipe", EVERY, ids=lambda recipe: recipe.name)
def test_a_recipe_is_the_same_after_a_trip_through_json(recipe):
    again = Recipe.from_json(recipe.to_json())
    assert again == recipe
    assert again.to_json() == recipe.to_json()
    assert repr(again.regularizer) == repr(recipe.regularizer)


def test_a_recipe_is_settings_that_keywords_override(tiny):
    recipe = Recipe(regularizer=vizkit.l1(1e-3), steps=9, learning_rate=0.5, basis=Pixels(spread=0.3))
    ascent = recipe.ascend(tiny, "star", steps=4, seed=2).run()
    plain = vizkit.ascend(
        tiny, "star", regularizer=vizkit.l1(1e-3), learning_rate=0.5, basis=Pixels(0.3), steps=4, seed=2
    )
    assert torch.equal(ascent.image, plain.run().image)


# What a file may not hold.

HACK = '__import__("pathlib").Path("hacked").touch()'


def part(name, strength=8, /, **options):
    return [{"name": name, "strength": strength, "options": options}]


REGULARIZERS = {
    "is text": "l2(1e-4)",
    "is a number": 5,
    "has a part that is text": ["l2"],
    "has a part without strength": [{"name": "l2", "options": {}}],
    "is unknown": part("l9"),
    "is code": part(HACK),
    "has a dunder for a name": part("__class__"),
    "has a list for a name": part(["l2"]),
    "has an unknown option": part("l2", 1, p=3),
    "has an option that is a list": part("lp", 1, p=[3]),
    "has an option that is a dict": part("lp", 1, p={}),
    "has an option that is text for a number": part("gaussian_blur", 1, every="x"),
    "has an option that is endless": part("lp", 1, p=10**400),
    "has options that are a list": [{"name": "l2", "strength": 1, "options": [1]}],
    "has strength as an option": part("l2", 1, strength=2),
    "has self as an option": part("l2", 1, self=2),
    "has a strength that is text": part("jitter", "x"),
    "has a strength that is NaN": part("jitter", float("nan")),
    "has a strength that is infinite": part("jitter", float("inf")),
    "has a strength that is negative": part("jitter", -1),
    "has a strength that is huge": part("jitter", 10**400),
    "has a strength that is a dict": part("jitter", {}),
    "has no strength in its list": part("jitter", []),
    "has strengths that are text": part("jitter", ["1", "2"]),
}
KNOBS = {
    "steps": ["5", -1, True, 2.5, None, [5]],
    "learning_rate": [float("nan"), float("inf"), 0, -1, "1", 10**400],
    "optimizer": ["newton", 5, None, ["adam"], {}],
    "optimizer_options": [None, [], "betas", {"betas": {}}],
    "schedule": ["never", None, ["fading"]],
    "objective": ["loss", None, ["score"]],
    "start": ["photo.png", None, ["random"]],
    "name": [5, None],
    "source": [["a"]],
    "basis": [
        "pixels",
        None,
        {},
        {"name": "wavelets"},
        {"name": ["pixels"]},
        {"name": "pixels", "exponent": 1},
        {"name": "pixels", "spread": "0.1"},
        {"name": "fourier", "exponent": float("nan")},
        {"name": "fourier", "exponent": 10**400},
        {"name": "fourier", "decode": 1},
    ],
}
CHANGED = [{"regularizer": value} for value in REGULARIZERS.values()]
CHANGED += [{name: value} for name, values in KNOBS.items() for value in values]
CHANGED_NAMES = [f"regularizer {name}" for name in REGULARIZERS]
CHANGED_NAMES += [f"{name} {str(value)[:40]}" for name, values in KNOBS.items() for value in values]


@pytest.mark.parametrize("change", CHANGED, ids=CHANGED_NAMES)
def test_a_recipe_with_a_value_that_cannot_be_is_refused(change):
    plain = json.loads(Recipe(regularizer=vizkit.jitter(8)).to_json())
    with pytest.raises(VizkitError):
        Recipe.from_json(json.dumps(plain | change))


@pytest.mark.parametrize(
    "text", ["", "{", "recipe", "[]", "5", "null", "{}", "9" * 5000, "[" * 100_000, '{"a":' * 5000]
)
def test_text_that_is_no_recipe_is_refused(text):
    with pytest.raises(VizkitError, match=r"Not JSON|JSON object|Not a recipe"):
        Recipe.from_json(text)


def test_a_recipe_with_a_key_too_few_or_too_many_names_it():
    plain = json.loads(Recipe().to_json())
    with pytest.raises(VizkitError, match="hook"):
        Recipe.from_json(json.dumps(plain | {"hook": HACK}))
    with pytest.raises(VizkitError, match="steps"):
        Recipe.from_json(json.dumps({key: value for key, value in plain.items() if key != "steps"}))


@pytest.fixture
def forged(tiny, tmp_path, monkeypatch):
    """Writes a PNG with settings changed at will; at the end nothing of it was run."""
    monkeypatch.chdir(tmp_path)
    settings = json.loads(settings_of(vizkit.ascend(tiny, "star", steps=2).run()))

    def write(text=None, **changes):
        metadata = PngImagePlugin.PngInfo()
        metadata.add_text("vizkit", json.dumps(settings | changes) if text is None else text)
        Image.fromarray(PHOTO).save("forged.png", pnginfo=metadata)
        return "forged.png"

    yield write
    assert not (tmp_path / "hacked").exists()


def image(shape, text):
    return {"shape": shape, "float32": text}


PLAIN = json.loads(Recipe(steps=2).to_json())
PACKED = base64.b64encode(zlib.compress(np.zeros((1, 3, 12, 16), "<f4").tobytes())).decode()
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
    "image is text": {"image": HACK},
    "image is no base64": {"image": image([1, 3, 12, 16], "§")},
    "image is not compressed": {"image": image([1, 3, 12, 16], "AAAA")},
    "image has another shape": {"image": image([1, 3, 16, 12], PACKED)},
    "image has no such shape": {"image": image([7], PACKED)},
    "image has an endless shape": {"image": image([10**40], PACKED)},
    "image has a shape of text": {"image": image(["a"], PACKED)},
    "image is not finite": {
        "image": image(
            [1, 3, 12, 16], base64.b64encode(zlib.compress(np.full((576,), np.nan, "<f4").tobytes())).decode()
        )
    },
}


@pytest.mark.parametrize("changes", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_file_with_damaged_settings_is_refused(tiny, forged, changes):
    with pytest.raises(VizkitError):
        vizkit.reproduce(forged(**changes), tiny)


@pytest.mark.parametrize("text", ["{", "[]", "{}", "null", HACK, "[" * 100_000])
def test_a_file_whose_settings_are_none_is_refused(tiny, forged, text):
    with pytest.raises(VizkitError):
        vizkit.reproduce(forged(text), tiny)


def test_settings_nested_at_any_depth_are_refused(tiny, forged):
    recipe = json.dumps(json.loads(Recipe().to_json()))
    for depth in range(800, 1000, 4):
        nested = '{"network": "", "targets": [0], "seed": 0, "changes": [], "recipe": ' + recipe[:-1]
        nested += ', "deep": ' + "[" * depth + "]" * depth + "}}"
        with pytest.raises(VizkitError):
            vizkit.reproduce(forged(nested), tiny)


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


@pytest.mark.parametrize(
    "network", ["vizkit.Classifier(...)  # yours", "", None, 5, [], HACK, f"vizkit.load({HACK})", 'vizkit.load("l9")']
)
def test_a_picture_of_a_network_that_the_file_cannot_name_asks_for_it(forged, network):
    with pytest.raises(VizkitError, match=r"own CNN.*vizkit\.reproduce\(path, net\)"):
        vizkit.reproduce(forged(network=network))
