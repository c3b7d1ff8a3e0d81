"""From pictures back to settings: the code that makes them, the settings that a file carries, the ascent made again."""

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .ascent import Ascent
from .bases import STARTS
from .errors import Diverged, VizkitError
from .networks import Classifier, load, networks
from .recipes import Recipe, json_object, regularizer_from_plain, regularizer_to_plain


def recipe_of(ascent: Ascent) -> Recipe:
    """The settings that an ascent started with, as a recipe, with as many steps as it has made."""
    if callable(ascent.initial.optimizer):
        raise VizkitError("An ascent with an optimizer of your own cannot be written down. Use one by name.")
    steps = ascent.step if ascent.history else ascent.steps
    if ascent.initial.schedule == "fading":
        steps = ascent.initial.steps  # the learning rate depends on it
    start = ascent.initial.start
    if not isinstance(start, str) or start not in STARTS:
        start = "image"  # one that the user gave
    return Recipe(**(vars(ascent.initial) | {"steps": steps, "start": start}))


def _changes(ascent: Ascent) -> list[tuple[int, str, Any]]:
    """Those of the ascent, and its end, if it came before the settings said."""
    early = ascent.history and ascent.initial.schedule == "fading" and ascent.step < ascent.steps
    return ascent.changes + ([(ascent.step, "steps", ascent.step)] if early else [])


def code_of(ascent: Ascent) -> str:
    """
    >>> print(vizkit.saved.code_of(vizkit.ascend(net, "flamingo", steps=3, regularizer=vizkit.l2(1e-4))))
    import vizkit
    <BLANKLINE>
    net = vizkit.load()
    ascent = vizkit.ascend(
        net,
        'flamingo',
        regularizer=vizkit.l2(0.0001),
        steps=3,
        seed=0,
    ).run()

    Python that makes the same pictures, the knobs turned on the way included.
    """
    net = ascent.net
    names = [net.labels[i] if net.labels.count(net.labels[i]) == 1 else i for i in ascent.targets]
    call = recipe_of(ascent).code(repr(names[0] if len(names) == 1 else names), ascent.seed)
    if recipe_of(ascent).start == "image":
        call = call.replace("start='image'", "start=photo,  # the image that you started from").replace("from,", "from")
    changes = _changes(ascent)
    lines = ["import vizkit", "", f"net = {net.code}", call + ("" if changes else ".run()")]
    if changes:
        lines.append("for step in ascent:")
        for at in sorted({step for step, _, _ in changes}):
            lines.append(f"    if step.index == {at - 1}:")
            lines += [f"        ascent.{knob} = {value!r}" for step, knob, value in changes if step == at]
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
            for step, knob, value in _changes(ascent)
        ],
    }
    if plain["recipe"]["start"] == "image":
        plain["image"] = _tensor_to_plain(ascent.initial.start)
    return json.dumps(plain)


def reproduce(path: str | Path, net: Classifier | None = None) -> Ascent:
    """
    >>> file = vizkit.figures.save(vizkit.ascend(net, "flamingo", steps=3).run(), folder / "saved.png")
    >>> vizkit.reproduce(file, net)
    Ascent('flamingo' on efficientnet_lite0, step 3 of 3, vizkit.none())

    Makes the ascent of a PNG that `vizkit.figures.save` wrote again, from the file alone; `net` is needed where it was
    your own CNN. Raises `VizkitError` for a file without settings, or with settings that are damaged.
    """
    try:
        with Image.open(path) as picture:
            text = picture.info.get("vizkit")
    except ValueError as error:  # text that is too long to be settings
        raise VizkitError(f"The settings in {path} are damaged: {error}.") from error
    if not text:
        raise VizkitError(f"{path} carries no settings. Write it with vizkit.figures.save(ascent, path).")
    plain = json_object(text)
    try:
        network, targets, seed = plain["network"], plain["targets"], plain["seed"]
        changes = [(int(step), str(knob), value) for step, knob, value in plain["changes"]]
        recipe = Recipe.from_json(json.dumps(plain["recipe"]))
        start = _tensor_from_plain(plain["image"]) if "image" in plain else recipe.start
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError, zlib.error) as error:
        raise VizkitError(f"The settings in {path} are damaged: {error}.") from error
    ascent = recipe.ascend(net or _network_of(network), targets, seed=seed, start=start)
    for knob in {knob for _, knob, _ in changes}:
        if knob not in ("regularizer", "learning_rate", "objective", "steps"):
            raise VizkitError(f"The settings in {path} turn an unknown knob: {knob!r}.")
    while not ascent.finished:
        for _, knob, value in (change for change in changes if change[0] == ascent.step):
            setattr(ascent, knob, regularizer_from_plain(value) if knob == "regularizer" else value)
        try:
            next(ascent, None)
        except Diverged:  # as it did then; the second time from its last good image
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
