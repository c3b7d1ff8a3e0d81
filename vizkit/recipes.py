"""Named, complete settings, as plain data: everything an ascent needs but the network, the class and the seed."""

import base64
import json
import zlib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .ascent import OBJECTIVES, OPTIMIZERS, Ascent, Objective, ascend
from .classifiers import Classifier, load, networks
from .errors import VizkitError
from .images import BASES, Basis, Fourier, Pixels
from .regularizers import Regularizer, catalogue, jitter, l2, none, scale_and_rotate

STARTS = ("random", "zero", "image")  # "image": one that the user gives, and that `settings_of` writes down


@dataclass(frozen=True)
class Recipe:
    """
    >>> vizkit.Recipe("mine", regularizer=vizkit.l2(1e-4), steps=64).ascend(net, "flamingo")
    Ascent('flamingo' on efficientnet_lite0, step 0 of 64, vizkit.l2(0.0001))

    A complete setting of an ascent; see `vizkit.ascend` for what each value means. `source` says where it is from.
    """

    name: str = "mine"
    source: str = ""
    regularizer: Regularizer = field(default_factory=none)
    steps: int = 200
    optimizer: str = "ascent"
    learning_rate: float = 6.0
    start: str = "random"
    objective: Objective = "score"
    basis: Basis = field(default_factory=Pixels)

    def ascend(self, net: Classifier, target: Any, **overrides: Any) -> Ascent:
        """As `vizkit.ascend` with these settings; keywords override them."""
        return ascend(net, target, **(self.settings | overrides))

    @property
    def settings(self) -> dict[str, Any]:
        """The keywords of `vizkit.ascend`."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("name", "source")}

    def code(self, target: str, seed: int) -> str:
        """The call of `vizkit.ascend` with these settings, as Python; `target` is code, too."""
        keywords = {name: repr(value) for name, value in self.settings.items()}
        keywords["basis"] = f"vizkit.{self.basis!r}"
        lines = [f"    {name}={value}," for name, value in (keywords | {"seed": repr(seed)}).items()]
        return "\n".join(["ascent = vizkit.ascend(", "    net,", f"    {target},", *lines, ")"])

    def to_json(self) -> str:
        """Plain JSON, which `Recipe.from_json` reads back."""
        plain = {"name": self.name, "source": self.source} | self.settings
        plain["regularizer"] = regularizer_to_plain(self.regularizer)
        plain["basis"] = {"name": self.basis.name} | asdict(self.basis)  # type: ignore[call-overload]
        return json.dumps(plain, indent=2)

    @staticmethod
    def from_json(text: str) -> "Recipe":
        """
        >>> vizkit.Recipe.from_json(vizkit.Recipe("mine").to_json()) == vizkit.Recipe("mine")
        True

        Reads what `to_json` wrote. Nothing in it is run; what is unknown, missing or out of range is a `VizkitError`.
        """
        plain = _json_object(text)
        expected = {f.name for f in fields(Recipe)}
        if plain.keys() != expected:
            raise VizkitError(f"Not a recipe: it differs in {sorted(plain.keys() ^ expected)}.")
        for name, known in (("optimizer", OPTIMIZERS), ("objective", OBJECTIVES), ("start", STARTS)):
            if plain[name] not in list(known):
                raise VizkitError(f"Not a recipe: {name} is {plain[name]!r}, not one of {', '.join(known)}.")
        for name, kinds in (("name", str), ("source", str), ("steps", int), ("learning_rate", (int, float))):
            if not isinstance(plain[name], kinds) or isinstance(plain[name], bool):
                raise VizkitError(f"Not a recipe: {name} is {plain[name]!r}.")
        plain["regularizer"] = regularizer_from_plain(plain["regularizer"])
        plain["basis"] = _basis_from_plain(plain["basis"])
        return Recipe(**plain)


RECIPES = [
    Recipe(
        "simonyan",
        "Simonyan, Vedaldi, Zisserman 2014 (arXiv 1312.6034), section 2; the strength is ours",
        regularizer=l2(1e-3),
        start="zero",
        learning_rate=1.0,
    ),
    Recipe(
        "vizkit",
        "ours",
        regularizer=scale_and_rotate(10, scale=0.2) + jitter(8),
        steps=128,
        optimizer="adam",
        learning_rate=0.05,
        basis=Fourier(exponent=1.3),
    ),
]


def recipes() -> dict[str, Recipe]:
    """
    >>> list(vizkit.recipes.recipes())
    ['simonyan', 'vizkit']

    Every recipe by name.
    """
    return {recipe.name: recipe for recipe in RECIPES}


def recipe_of(ascent: Ascent) -> Recipe:
    """The settings that an ascent started with, as a recipe. Raises `VizkitError` for an optimizer of one's own."""
    if not isinstance(ascent.optimizer, str):
        raise VizkitError("An ascent with an optimizer of your own cannot be written down. Use one by name.")
    start = ascent.start if isinstance(ascent.start, str) else "image"
    steps = ascent.step or ascent.steps  # those that were made, once it has begun
    return Recipe(steps=steps, optimizer=ascent.optimizer, start=start, basis=ascent.basis, **ascent.initial)


def code_of(ascent: Ascent) -> str:
    """
    >>> print(vizkit.recipes.code_of(vizkit.ascend(net, "flamingo", steps=3, regularizer=vizkit.l2(1e-4))))
    import vizkit
    <BLANKLINE>
    net = vizkit.load()
    ascent = vizkit.ascend(
        net,
        'flamingo',
        regularizer=vizkit.l2(0.0001),
        steps=3,
        optimizer='ascent',
        learning_rate=6.0,
        start='random',
        objective='score',
        basis=vizkit.Pixels(spread=0.1),
        seed=0,
    ).run()

    Python that makes the same pictures, the knobs turned on the way included.
    """
    net = ascent.net
    names = [net.labels[i] if net.labels.count(net.labels[i]) == 1 else i for i in ascent.targets]
    call = recipe_of(ascent).code(repr(names[0] if len(names) == 1 else names), ascent.seed)
    lines = ["import vizkit", "", f"net = {net.code}", call + ("" if ascent.changes else ".run()")]
    if ascent.changes:
        lines.append("for step in ascent:")
        for at in sorted({step for step, _, _ in ascent.changes}):
            lines.append(f"    if step.index == {at - 1}:")
            lines += [f"        ascent.{knob} = {value!r}" for step, knob, value in ascent.changes if step == at]
    return "\n".join(lines)


def settings_of(ascent: Ascent) -> str:
    """All that it takes to make the pictures of `ascent` again, as JSON: network, classes, seed, recipe, changes."""
    plain = {
        "network": ascent.net.code,
        "targets": ascent.targets,
        "labels": ascent.labels,
        "seed": ascent.seed,
        "recipe": json.loads(recipe_of(ascent).to_json()),
        "changes": [
            [step, knob, regularizer_to_plain(value) if knob == "regularizer" else value]
            for step, knob, value in ascent.changes
        ],
    }
    if not isinstance(ascent.start, str):
        plain["image"] = _tensor_to_plain(ascent.start_image)
    return json.dumps(plain)


def reproduce(path: str | Path, net: Classifier | None = None) -> Ascent:
    """
    >>> file = vizkit.figures.save(vizkit.ascend(net, "flamingo", steps=3).run(), folder / "saved.png")
    >>> vizkit.reproduce(file, net)
    Ascent('flamingo' on efficientnet_lite0, step 3 of 3, vizkit.none())

    Makes the ascent of a PNG that `vizkit.figures.save` wrote again, from the file alone; `net` is needed where it was
    your own CNN. Raises `VizkitError` for a file without settings, or with settings that are damaged.
    """
    with Image.open(path) as picture:
        text = picture.info.get("vizkit")
    if not text:
        raise VizkitError(f"{path} carries no settings. Write it with vizkit.figures.save(ascent, path).")
    plain = _json_object(text)
    try:
        network, targets, seed = plain["network"], plain["targets"], plain["seed"]
        changes = [(int(step), str(knob), value) for step, knob, value in plain["changes"]]
        recipe = Recipe.from_json(json.dumps(plain["recipe"]))
        start = _tensor_from_plain(plain["image"]) if "image" in plain else recipe.start
    except (KeyError, TypeError, ValueError) as error:
        raise VizkitError(f"The settings in {path} are damaged: {error}.") from error
    ascent = recipe.ascend(net or _network_of(network), targets, seed=seed, start=start)
    for knob in {knob for _, knob, _ in changes}:
        if knob not in ascent.initial:
            raise VizkitError(f"The settings in {path} turn an unknown knob: {knob!r}.")
    while not ascent.finished:
        for _, knob, value in (change for change in changes if change[0] == ascent.step):
            setattr(ascent, knob, regularizer_from_plain(value) if knob == "regularizer" else value)
        next(ascent, None)
    return ascent


def _network_of(code: str) -> Classifier:
    """Reads `vizkit.load("name", weights="version")` without running it."""
    words = str(code).split('"')[1::2]
    if not str(code).startswith("vizkit.load(") or (words and words[0] not in networks()):
        raise VizkitError("This picture is of somebody's own CNN: pass it, vizkit.reproduce(path, net).")
    return load(*words[:1], weights=words[1] if len(words) > 1 else None)


def _tensor_to_plain(image: Tensor) -> dict[str, Any]:
    values = image.cpu().numpy().astype("<f4")
    return {"shape": list(values.shape), "float32": base64.b64encode(zlib.compress(values.tobytes())).decode()}


def _tensor_from_plain(plain: dict[str, Any]) -> Tensor:
    values = np.frombuffer(zlib.decompress(base64.b64decode(plain["float32"])), "<f4")
    return torch.from_numpy(values.reshape(plain["shape"]).copy())


def regularizer_to_plain(regularizer: Regularizer) -> list[dict[str, Any]]:
    """A list with name, strength and options of each part."""
    return [{"name": p.kind.name, "strength": p.strength, "options": p.options} for p in regularizer.parts]


def regularizer_from_plain(plain: Any) -> Regularizer:
    """The regularizer of such a list; only names that are in the catalogue."""
    total = none()
    if not isinstance(plain, list):
        raise VizkitError(f"Regularizers are a list, not {plain!r}.")
    for part in plain:
        if not isinstance(part, dict) or part.keys() != {"name", "strength", "options"}:
            raise VizkitError(f"A regularizer has a name, a strength and options, not {part!r}.")
        kind, options = catalogue().get(str(part["name"])), part["options"]
        if kind is None:
            raise VizkitError(f"No regularizer {part['name']!r}. Known: {', '.join(catalogue())}. Define yours first.")
        if not isinstance(options, dict) or not all(isinstance(v, (int, float, str)) for v in options.values()):
            raise VizkitError(f"The options of {kind.name} must be plain numbers and words, not {options!r}.")
        total = total + kind(part["strength"] if kind.strengths else None, **options)
    return total


def _basis_from_plain(plain: Any) -> Basis:
    if not isinstance(plain, dict) or plain.get("name") not in BASES:
        raise VizkitError(f"Not a basis: {plain!r}. Known: {', '.join(BASES)}.")
    maker = BASES[plain["name"]]
    given = {name: value for name, value in plain.items() if name != "name"}
    if given.keys() - {f.name for f in fields(maker)} or not all(isinstance(v, (int, float)) for v in given.values()):
        raise VizkitError(f"Not settings of the basis {plain['name']}: {given}.")
    return maker(**given)


def _json_object(text: str) -> dict[str, Any]:
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise VizkitError(f"Not JSON: {error}.") from error
    if not isinstance(plain, dict):
        raise VizkitError(f"Expected a JSON object, not {type(plain).__name__}.")
    return plain
