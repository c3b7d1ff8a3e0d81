"""vizkit: see what a trained CNN thinks a class looks like.

>>> net = vizkit.load()
>>> ascent = vizkit.ascend(net, "flamingo", regularizer=vizkit.l2(1e-4), steps=3)
>>> ascent.run().picture.shape
(224, 224, 3)
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# torch's threads wait for each other by spinning. Where a browser wants the same cores, as on any laptop, a step then
# takes 2 to 6 times as long; with a short spin it does not, and loses nothing on an idle machine (measured). It counts
# only if torch is not loaded yet, and never against what the user has set.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

from . import bases, images, judging, recipes, regularization, regularizers, saved, settings
from .ascent import Ascent, Step, ascend, reproduce
from .atlases.atlas import Atlas, atlas
from .bases import Fourier, Phase, Pixels
from .errors import Diverged, VizkitError
from .judging import second_opinion
from .networks import Classifier, load, load_weights, networks, small_cnn
from .recipes import Recipe, recipe
from .regularization import Regularizer, none, side_by_side
from .regularizers import *
from .saved import VERSION as __version__

if TYPE_CHECKING:
    from . import figures, widgets
    from .classroom import datasets, exercises, lessons
    from .classroom.lessons import Trainer
    from .classroom.training import Training
    from .widgets import AtlasMaker, Compare, Explorer, Gallery

# What needs matplotlib, ipywidgets or a moment: the wing where it is, once it is asked for.
_LATER = {"figures": "figures", "widgets": "widgets"}
_LATER |= dict.fromkeys(("AtlasMaker", "Compare", "Explorer", "Gallery"), "widgets")
_LATER |= {"Trainer": "classroom.lessons", "Training": "classroom.training"}
_LATER |= {name: f"classroom.{name}" for name in ("datasets", "exercises", "lessons")}
__all__ = ["Ascent", "Atlas", "AtlasMaker", "Classifier", "Compare", "Diverged", "Explorer", "Fourier", "Gallery"]
__all__ += ["Phase", "Pixels", "Recipe", "Regularizer", "Step", "Trainer", "Training", "VizkitError", "ascend"]
__all__ += ["atlas", "bases", "datasets", "exercises", "figures", "images", "judging", "lessons", "load"]
__all__ += ["load_weights", "networks", "none", "recipe", "recipes", "regularization", "regularizers", "reproduce"]
__all__ += ["saved", "second_opinion", "settings", "side_by_side", "small_cnn", "widgets"]
__all__ += regularizers.__all__


def __getattr__(name: str) -> Any:
    """Loads what is asked for late; and a regularizer of the user's own, as code shown to people names it."""
    if name in _LATER:
        module = import_module(f".{_LATER[name]}", __name__)
        return getattr(module, name) if name[0].isupper() else module
    if name in regularizers.catalogue():
        return regularizers.catalogue()[name]
    raise AttributeError(f"module 'vizkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
