"""Named, complete settings, as plain data: everything an ascent needs but the network, the class and the seed."""

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import saved
from .bases import Fourier, Phase, Pixels
from .errors import check_name
from .networks import Classifier
from .regularizers import *
from .settings import Settings

if TYPE_CHECKING:
    from .ascent import Ascent


@dataclass(frozen=True)
class Recipe(Settings):
    """
    >>> vizkit.Recipe(regularizer=vizkit.l2(1e-4), steps=64).ascend(net, "flamingo")
    Ascent('flamingo' on efficientnet_lite0, step 0 of 64, vizkit.l2(0.0001))

    `Settings` with a name and the source they are from; see `vizkit.ascend` for what each value means.
    """

    name: str = "mine"
    source: str = ""

    def ascend(self, net: Any, target: Any, **overrides: Any) -> "Ascent":
        """As `vizkit.ascend(net, target, recipe=self, …)`."""
        from .ascent import ascend  # an ascent is made of recipes: only this short form knows the other way round

        return ascend(net, target, recipe=self, **overrides)

    def code(self, target: str = "'flamingo'", seed: int = 0) -> str:
        """The call of `vizkit.ascend` with these settings, as Python; `target` is code, too."""
        return saved.call(self, target, seed)


_LUCID = pad(12) + jitter(7, one_sided=True) + scale_and_rotate(10, scale=0.1) + jitter(3, one_sided=True) + fit()
# Horama's large image, of which six parts are shown at the network's own size: 224 of its 1280 pixels a side.
_LARGE = 40 / 7
_CROPS = crops(0.25, largest=0.3, count=6, size=0.175, centre_spread=0.15) + noise(0.05, uniform=1.0, each_view=True)

_OZBULAK = Recipe(
    name="ozbulak",
    source="pytorch-cnn-visualizations, generate_class_specific_samples.",
    regularizer=round_to_bytes(),
    steps=149,
    learning_rate=6.0,
    start="bytes",
)
_TABLE = {  # Yosinski's table 1: its rows
    1: (gaussian_blur(0.5, every=4, first=0) + clip_small_norm(50), 500),
    2: (decay(0.3) + clip_small_norm(20), 750),
    3: (decay(1e-4) + gaussian_blur(1.0, every=4, first=0), 1000),
    4: (gaussian_blur(0.5, every=4, first=0) + clip_small_contribution(90), 500),
}
_HORAMA = Recipe(
    name="horama",
    source="Horama, Fourier (2025): six noisy crops of a large image a step. It shows the network values within ±2.5, "
    "and here from black to white; it takes a crop's pixels by roi_align, and here bilinear; its standardising of the "
    "spectrum, which that of the image undoes, and its transparency map are left out.",
    regularizer=_CROPS,
    steps=1000,
    optimizer="nadam",
    learning_rate=1.0,
    basis=Fourier(exponent=1.5, spread=1.0, scale=_LARGE, standardise=True),
)
_VIZKIT = Recipe(
    name="vizkit",
    source="Ours: the frequencies of the picture move; each step looks at two large random parts of it, turned, "
    "mirrored or not, with a square hidden; strong frequencies keep part of their lead; the rate falls; what the "
    "network remembers of photographs holds the picture back.",
    regularizer=crops(0.5, turn=10, count=2, size=0.714) + mirror() + cut_out(0.3) + natural_statistics(16),
    steps=64,
    optimizer="half_adam",
    schedule="fading",
    basis=Fourier(exponent=1.15),
)

RECIPES = (
    _VIZKIT,
    _VIZKIT.but(
        name="small",
        source="Ours, for images of up to 96 pixels: from the mean colour, the frequencies of the picture move; each "
        "step looks at all of it, a little shifted, turned and scaled; L1 leaves only what pays, what the network "
        "remembers of its training holds the picture back; the rate falls.",
        regularizer=jitter(1) + scale_and_rotate(5, scale=0.1) + l1(1e-3) + natural_statistics(2),
        learning_rate=0.1,
        basis=Fourier(exponent=1.3, spread=0.1, from_mean=True),
    ),
    Recipe(
        name="simonyan",
        source="Simonyan, Vedaldi, Zisserman 2013 (arXiv 1312.6034), section 2. They leave open λ and the step; ours.",
        regularizer=l2(1e-3),
        learning_rate=1.0,
        start="zero",
    ),
    _OZBULAK,
    _OZBULAK.but(
        name="ozbulak-regularized",
        source="pytorch-cnn-visualizations, generate_regularized_…; weight decay 1e-4 is l2(5e-5).",
        regularizer=l2(5e-5) + round_to_bytes() + gaussian_blur(1, every=4, first=2) + round_to_bytes(),
    ),
    *(
        _OZBULAK.but(
            name=f"ozbulak-{penalty.name}",
            source=f"The {penalty.name.upper()} animation of pytorch-cnn-visualizations, whose code was never "
            "published; the strength is ours.",
            regularizer=penalty(1e-2) + round_to_bytes(),
        )
        for penalty in (l2, l1)
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
    *(
        Recipe(
            name=f"yosinski-{'abcd'[row - 1]}",
            source=f"Yosinski et al. 2015 (arXiv 1506.06579), table 1, row {row}; the learning rate is ours.",
            regularizer=regularizer + clamp(),
            steps=steps,
            learning_rate=6.0,
            basis=Pixels(spread=0.08),
        )
        for row, (regularizer, steps) in _TABLE.items()
    ),
    Recipe(
        name="lucid",
        source="Lucid and lucent, render_vis of a class logit (Olah, Mordvintsev, Schubert 2017).",
        regularizer=_LUCID,
        steps=512,
        optimizer="adam",
        learning_rate=0.05,
        basis=Fourier(size=128),
    ),
    _HORAMA,
    _HORAMA.but(
        name="maco",
        source="MACO, Fel et al. 2023 (arXiv 2306.06805), by Horama's code: only the phase moves. The magnitude is "
        "1 / f and not the mean of ImageNet's pictures, which is a download; else as horama, with its differences.",
        basis=Phase(scale=_LARGE, decorrelate=True, standardise=True),
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

# For networks that remember nothing of photographs.
WITHOUT = {one.name: one.but(regularizer=one.regularizer.without("activations")) for one in RECIPES}


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
    check_name("recipe", name, recipes())
    return recipes()[name]


def as_recipe(given: "str | Recipe | None", net: Classifier) -> Recipe:
    """The recipe of a name, or a `Recipe`, its own natural statistics left out where a network has none, and of a unit,
    which need not look for all that there is in a photograph; None: the one that suits the network, "small" for an
    input of up to 96 pixels, or else "vizkit"."""
    if given is None:
        given = "small" if max(net.height, net.width) <= 96 else "vizkit"
    found = given if isinstance(given, Recipe) else recipe(given)
    own = recipes().get(found.name)
    remembers = net.remembers and not net.layer
    if not own or found.regularizer != own.regularizer or not own.regularizer.asks("activations") or remembers:
        return found
    return WITHOUT[found.name] if found is own else found.but(regularizer=WITHOUT[found.name].regularizer)


def table() -> str:
    """Every recipe with its source and its code, as text: what `python -m vizkit` prints."""
    entries = []
    for one in RECIPES:
        source = textwrap.fill(one.source, 100, initial_indent="    ", subsequent_indent="    ")
        entries.append(f"{one.name}\n{source}\n{textwrap.indent(one.code(), '        ')}")
    return "\n\n".join(entries)
