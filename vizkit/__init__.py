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
from .ascent import Ascent, Step, ascend
from .bases import Fourier, Phase, Pixels
from .errors import Diverged, VizkitError
from .judging import second_opinion
from .networks import Classifier, load, load_weights, networks, small_cnn
from .recipes import Recipe, recipe
from .regularization import Regularizer, none, regularizer
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
    lp,
    mirror,
    noise,
    pad,
    resize,
    round_to_bytes,
    scale_and_rotate,
    shake,
    soft_threshold,
    total_variation,
)
from .saved import reproduce

if TYPE_CHECKING:
    from . import figures, widgets
    from .classroom import datasets, exercises
    from .classroom.trainer import Trainer
    from .classroom.training import Training
    from .widgets import Compare, Explorer, Gallery

_LATER = {"figures": ".figures", "widgets": ".widgets"}
_LATER |= {"datasets": ".classroom.datasets", "exercises": ".classroom.exercises", "Training": ".classroom.training"}
_LATER |= {"Trainer": ".classroom.trainer"} | dict.fromkeys(("Compare", "Explorer", "Gallery"), ".widgets")


def __getattr__(name: str) -> Any:
    """Loads what needs matplotlib or ipywidgets only when it is asked for."""
    if name in regularizers.catalogue():  # a regularizer of the user's own, as code shown to people names it
        return regularizers.catalogue()[name]
    if name not in _LATER:
        raise AttributeError(f"module 'vizkit' has no attribute {name!r}")
    module = import_module(_LATER[name], __name__)
    return getattr(module, name) if name[0].isupper() else module
