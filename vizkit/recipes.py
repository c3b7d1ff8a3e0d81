"""Named, complete settings, as plain data: everything an ascent needs but the network, the class and the seed."""

import json
import sys
import textwrap
from dataclasses import asdict, dataclass, fields
from typing import Any

from .ascent import Ascent, ascend
from .bases import BASES, STARTS, Basis, Fourier, Phase, Pixels
from .errors import VizkitError
from .networks import Classifier
from .regularization import Regularizer, catalogue, none
from .regularizers import (
    clamp,
    clip_small_contribution,
    clip_small_norm,
    crops,
    cut_out,
    decay,
    gaussian_blur,
    jitter,
    l1,
    l2,
    mirror,
    noise,
    pad,
    resize,
    round_to_bytes,
    scale_and_rotate,
    shake,
    total_variation,
)
from .settings import Settings


@dataclass(frozen=True)
class Recipe(Settings):
    """
    >>> vizkit.Recipe(regularizer=vizkit.l2(1e-4), steps=64).ascend(net, "flamingo")
    Ascent('flamingo' on efficientnet_lite0, step 0 of 64, vizkit.l2(0.0001))

    `Settings` with a name and the source they are from; see `vizkit.ascend` for what each value means.
    """

    name: str = "mine"
    source: str = ""

    def ascend(self, net: Classifier, target: Any, **overrides: Any) -> Ascent:
        """As `vizkit.ascend` with these settings; keywords override them."""
        return ascend(net, target, **self.overridden(overrides))

    def overridden(self, overrides: dict[str, Any]) -> dict[str, Any]:
        """The keywords of `vizkit.ascend`, some replaced; another optimizer brings its own rate and options."""
        own: dict[str, Any] = {"optimizer_options": {}, "learning_rate": None} if "optimizer" in overrides else {}
        return self.keywords | own | overrides

    @property
    def keywords(self) -> dict[str, Any]:
        """The keywords of `vizkit.ascend`."""
        return {f.name: getattr(self, f.name) for f in fields(Settings)}

    def code(self, target: str = "'flamingo'", seed: int = 0) -> str:
        """The call of `vizkit.ascend` with these settings, as Python; `target` is code, too."""
        usual = Settings()
        shown = {name: repr(v) for name, v in self.keywords.items() if v != getattr(usual, name) or name == "steps"}
        if "basis" in shown:
            shown["basis"] = f"vizkit.{self.basis!r}"
        if self.optimizer != usual.optimizer:
            shown["learning_rate"] = repr(self.learning_rate)
        lines = [f"    {name}={value}," for name, value in (shown | {"seed": repr(seed)}).items()]
        return "\n".join(["ascent = vizkit.ascend(", "    net,", f"    {target},", *lines, ")"])

    def to_json(self) -> str:
        """Plain JSON, which `Recipe.from_json` reads back."""
        if callable(self.optimizer) or getattr(self.basis, "spectrum", None) is not None:
            raise VizkitError("An optimizer or a spectrum of your own cannot be written down. Use one by name.")
        plain = self.keywords | {"name": self.name, "source": self.source}
        plain["regularizer"] = regularizer_to_plain(self.regularizer)
        plain["basis"] = {"name": self.basis.name} | asdict(self.basis)  # type: ignore[call-overload]
        return json.dumps(plain, indent=2)

    @staticmethod
    def from_json(text: str) -> "Recipe":
        """
        >>> vizkit.Recipe.from_json(vizkit.Recipe().to_json()) == vizkit.Recipe()
        True

        Reads what `to_json` wrote. Nothing in it is run; what is unknown, missing or out of range is a `VizkitError`.
        """
        plain = json_object(text)
        expected = {f.name for f in fields(Recipe)}
        if plain.keys() != expected:
            raise VizkitError(f"Not a recipe: it differs in {sorted(plain.keys() ^ expected)}.")
        if plain["start"] not in (*STARTS, "image"):  # never a path: a recipe opens no file
            raise VizkitError(f"Not a recipe: start is {plain['start']!r}, not one of {', '.join(STARTS)}.")
        for name in ("name", "source", "optimizer", "start"):
            if not isinstance(plain[name], str):
                raise VizkitError(f"Not a recipe: {name} is {plain[name]!r}, not a word.")
        options = plain["optimizer_options"]
        if not isinstance(options, dict) or not all(map(_is_plain, options.values())):
            raise VizkitError(f"Not a recipe: optimizer_options are {options!r}.")
        plain["optimizer_options"] = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
        plain["regularizer"] = regularizer_from_plain(plain["regularizer"])
        plain["basis"] = _basis_from_plain(plain["basis"])
        return Recipe(**plain)


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
        if not isinstance(options, dict) or not _are_like(options, kind.options):
            raise VizkitError(f"The options of {kind.name} are like {kind.options}, not {options!r}.")
        strength = part["strength"] if kind.strengths or isinstance(part["strength"], list) else None
        total = total + kind(strength, **options)
    return total


def _basis_from_plain(plain: Any) -> Basis:
    if not isinstance(plain, dict) or str(plain.get("name")) not in BASES:
        raise VizkitError(f"Not a basis: {plain!r}. Known: {', '.join(BASES)}.")
    maker = BASES[str(plain["name"])]
    given = {name: value for name, value in plain.items() if name != "name"}
    if not _are_like(given, {f.name: f.default for f in fields(maker)}):
        raise VizkitError(f"Not settings of the basis {plain['name']}: {given}.")
    return maker(**given)


def json_object(text: str) -> dict[str, Any]:
    """The JSON object in a text, or a `VizkitError`."""
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise VizkitError(f"Not JSON: {error}.") from error
    if not isinstance(plain, dict):
        raise VizkitError(f"Expected a JSON object, not {type(plain).__name__}.")
    return plain


def _are_like(values: dict[str, Any], usual: dict[str, Any]) -> bool:
    """Whether all are known by name, and plain values of the kind of the usual ones."""

    def fits(value: Any, other: Any) -> bool:
        if other is None or isinstance(other, (list, tuple)):
            return _is_plain(value)
        if isinstance(other, (str, bool)):
            return isinstance(value, type(other))
        return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max

    return all(name in usual and fits(value, usual[name]) for name, value in values.items())


def _is_plain(value: Any) -> bool:
    """A number, a word, nothing, or a few numbers."""
    if isinstance(value, (list, tuple)):
        return len(value) <= 4 and all(isinstance(one, (int, float)) for one in value)
    return value is None or isinstance(value, (int, float, str))


_CROPS = crops(0.25, largest=0.3, count=6, size=0.175, centre_spread=0.15)  # 224 of 1280 pixels a side

RECIPES = (
    Recipe(
        name="vizkit",
        source="Ours: the frequencies of the picture move; each step looks at two large random parts of it, turned, "
        "mirrored or not, with a square hidden; strong frequencies keep part of their lead; the rate falls.",
        regularizer=crops(0.5, turn=10, count=2, size=0.714) + mirror() + cut_out(0.3),
        steps=64,
        optimizer="half_adam",
        learning_rate=0.035,
        schedule="fading",
        basis=Fourier(exponent=1.15),
    ),
    Recipe(
        name="small",
        source="Ours, for images of up to 96 pixels: from the mean colour, the frequencies of the picture move; each "
        "step looks at all of it, a little shifted, turned and scaled; L1 leaves only what pays; the rate falls.",
        regularizer=jitter(1) + scale_and_rotate(5, scale=0.1) + l1(3e-3),
        steps=64,
        optimizer="half_adam",
        learning_rate=0.1,
        schedule="fading",
        basis=Fourier(exponent=1.3, spread=0.1, from_mean=True),
    ),
    Recipe(
        name="simonyan",
        source="Simonyan, Vedaldi, Zisserman 2014 (arXiv 1312.6034), section 2. They leave open λ and the step; ours.",
        regularizer=l2(1e-3),
        learning_rate=1.0,
        start="zero",
    ),
    Recipe(
        name="ozbulak",
        source="pytorch-cnn-visualizations, generate_class_specific_samples.",
        regularizer=round_to_bytes(),
        steps=149,
        learning_rate=6.0,
        start="bytes",
    ),
    Recipe(
        name="ozbulak-regularized",
        source="pytorch-cnn-visualizations, generate_regularized_…; weight decay 1e-4 is l2(5e-5).",
        regularizer=l2(5e-5) + round_to_bytes() + gaussian_blur(1, every=4, first=2) + round_to_bytes(),
        steps=149,
        learning_rate=6.0,
        start="bytes",
    ),
    Recipe(
        name="ozbulak-l2",
        source="The L2 animation of pytorch-cnn-visualizations, whose code was never published; the strength is ours.",
        regularizer=l2(1e-2) + round_to_bytes(),
        steps=149,
        learning_rate=6.0,
        start="bytes",
    ),
    Recipe(
        name="ozbulak-l1",
        source="The L1 animation of pytorch-cnn-visualizations, whose code was never published; the strength is ours.",
        regularizer=l1(1e-2) + round_to_bytes(),
        steps=149,
        learning_rate=6.0,
        start="bytes",
    ),
    Recipe(
        name="saket",
        source="Visualising-Image-Classification-Models-and-Saliency-Maps. It starts from a faint photo: pass yours as "
        "start=photo / 255 * 20 + 128 (as bytes). Without one: noise as faint.",
        regularizer=l2(0.01, mean=True),
        learning_rate=1.0,
        basis=Pixels(spread=0.08),
    ),
    Recipe(
        name="cs231n",
        source="Stanford CS231n, assignment 3, class visualization.",
        regularizer=l2(1e-3) + jitter(15, one_sided=True) + clamp() + gaussian_blur(0.5, every=10, first=0),
        steps=100,
        learning_rate=25.0,
        basis=Pixels(spread=1.0),
    ),
    Recipe(
        name="yosinski-a",
        source="Yosinski et al. 2015 (arXiv 1506.06579), table 1, row 1; the learning rate is ours.",
        regularizer=gaussian_blur(0.5, every=4, first=0) + clip_small_norm(50) + clamp(),
        steps=500,
        learning_rate=6.0,
        basis=Pixels(spread=0.08),
    ),
    Recipe(
        name="yosinski-b",
        source="Yosinski et al. 2015, table 1, row 2; the rate is ours, too.",
        regularizer=decay(0.3) + clip_small_norm(20) + clamp(),
        steps=750,
        learning_rate=6.0,
        basis=Pixels(spread=0.08),
    ),
    Recipe(
        name="yosinski-c",
        source="Yosinski et al. 2015, table 1, row 3; the rate is ours, too.",
        regularizer=decay(1e-4) + gaussian_blur(1.0, every=4, first=0) + clamp(),
        steps=1000,
        learning_rate=6.0,
        basis=Pixels(spread=0.08),
    ),
    Recipe(
        name="yosinski-d",
        source="Yosinski et al. 2015, table 1, row 4; the rate is ours, too.",
        regularizer=gaussian_blur(0.5, every=4, first=0) + clip_small_contribution(90) + clamp(),
        steps=500,
        learning_rate=6.0,
        basis=Pixels(spread=0.08),
    ),
    Recipe(
        name="lucid",
        source="Lucid and lucent, render_vis of a class logit (Olah, Mordvintsev, Schubert 2017).",
        regularizer=pad(12)
        + jitter(7, one_sided=True)
        + scale_and_rotate(10, scale=0.1)
        + jitter(3, one_sided=True)
        + resize(224),
        steps=512,
        optimizer="adam",
        learning_rate=0.05,
        basis=Fourier(size=128),
    ),
    Recipe(
        name="horama",
        source="Horama, Fourier (2025): six crops of a large image a step; its range, ±2.5, is black to white here.",
        regularizer=_CROPS + noise(0.05),
        steps=1000,
        optimizer="nadam",
        learning_rate=1.0,
        basis=Fourier(exponent=1.5, spread=1.0, size=1280, standardise=True),
    ),
    Recipe(
        name="maco",
        source="Fel et al. 2023 (arXiv 2306.06805), with a 1 / f spectrum: fixed magnitude, and ascent.transparency.",
        regularizer=_CROPS + noise(0.05),
        steps=1000,
        optimizer="nadam",
        learning_rate=1.0,
        basis=Phase(size=1280),
    ),
    Recipe(
        name="tf-keras-vis",
        source="tf-keras-vis, activation maximization of VGG16; its weights, for 0 to 255, are times 127.5 here.",
        regularizer=total_variation(127.5, mean=True) + l1(38, mean=True) + shake(4, turn=1.0),
        steps=200,
        optimizer="rmsprop",
        optimizer_options={"alpha": 0.999},
        learning_rate=1 / 127.5,
        start="bytes",
    ),
)


def recipes() -> dict[str, Recipe]:
    """
    >>> list(vizkit.recipes.recipes())[:3]
    ['vizkit', 'small', 'simonyan']

    Every recipe by name.
    """
    return {recipe.name: recipe for recipe in RECIPES}


def recipe(name: str) -> Recipe:
    """
    >>> vizkit.recipe("ozbulak").ascend(net, "flamingo", steps=64)
    Ascent('flamingo' on efficientnet_lite0, step 0 of 64, vizkit.round_to_bytes())

    The recipe of a name. Raises `VizkitError`, with the names, for an unknown one.
    """
    if name not in recipes():
        raise VizkitError(f'No recipe "{name}". Known: {", ".join(recipes())}.')
    return recipes()[name]


def table() -> str:
    """Every recipe with its source and its code, as text: what `python -m vizkit` prints."""
    entries = []
    for one in RECIPES:
        source = textwrap.fill(one.source, 100, initial_indent="    ", subsequent_indent="    ")
        entries.append(f"{one.name}\n{source}\n{textwrap.indent(one.code(), '        ')}")
    return "\n\n".join(entries)
