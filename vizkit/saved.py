"""A picture and what made it: written as the Python that makes it again, and read back without running any of it."""

import ast
import base64
import json
import secrets
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from .bases import BASES, STARTS
from .errors import VizkitError, warn
from .images import Pictures, to_file
from .networks import Classifier, load
from .regularization import Regularizer, none, side_by_side
from .regularizers import catalogue
from .settings import LIVE, Settings

Change = tuple[int, str, Any]  # after so many steps, this knob was turned to that
KEY, START, FACTS = "vizkit", "vizkit start", "vizkit network"  # of the texts in a PNG
LONGEST, LARGEST = 10**6, 2**28  # characters of code, bytes of a start image
RESTART = "restart_optimizer"  # a change that is no knob: the optimizer began anew
YOURS = {"start": "photo", "optimizer": "optimizer", "basis": "basis"}  # what stands for that which code cannot hold

VERSION = "0.2.0"


@dataclass(frozen=True)
class Run:
    """All that it takes to make pictures again. `network` is the Python that makes the network, if it can be loaded."""

    network: str
    targets: list[Any]
    seed: int
    settings: Settings
    changes: tuple[Change, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)  # what tells the network from another


def write(run: Run) -> str:
    """The Python that makes the run again, the knobs turned on the way included."""
    settings = run.settings.but(**{knob: value for at, knob, value in run.changes if at < 1 and knob in LIVE})
    changes = [change for change in run.changes if change[0] > 0]
    target = repr(run.targets[0] if len(run.targets) == 1 else run.targets)
    made = call(settings, target, run.seed) + ("\nfor step in ascent:" if changes else ".run()")
    lines = ["import vizkit", "", f"net = {run.network}", made]
    for step in sorted({at for at, _, _ in changes}):
        lines.append(f"    if step.index == {step - 1}:")
        for _, knob, value in (change for change in changes if change[0] == step):
            lines.append(f"        ascent.{knob}()" if knob == RESTART else f"        ascent.{knob} = {value!r}")
    return "\n".join(lines)


def call(settings: Settings, target: str, seed: int = 0) -> str:
    """The call of `vizkit.ascend` with these settings; `target` is code already."""
    usual, shown = Settings(), {}
    for name in (one.name for one in fields(Settings)):
        value = getattr(settings, name)
        if is_yours(name, value):
            shown[name] = f"{YOURS[name]},  # yours"
        elif value != getattr(usual, name) or name == "steps":
            shown[name] = f"{value!r},"
    if settings.optimizer != usual.optimizer:
        shown["learning_rate"] = f"{settings.learning_rate!r},"
    lines = [f"    {name}={value}" for name, value in shown.items()]
    return "\n".join(["ascent = vizkit.ascend(", "    net,", f"    {target},", *lines, f"    seed={seed!r},", ")"])


def is_yours(name: str, value: Any) -> bool:
    """Whether it is something that no code can hold."""
    return name in YOURS and not (isinstance(value, str) or type(value) in BASES.values())


def read(text: str, yours: Mapping[str, Any]) -> Run:
    """The run that `write` wrote. None of the text is run: plain values, and calls of vizkit's regularizers and bases
    by name, are all that is understood; `yours` has what the code cannot hold."""
    if len(text) > LONGEST:
        raise VizkitError(f"{len(text)} characters are no code of an ascent.")
    known = {f"vizkit.{name}": kind for name, kind in catalogue().items()} | dict(yours)
    known |= {f"vizkit.{one.__name__}": one for one in (*BASES.values(), none, side_by_side)}
    calls: list[ast.Call] = []
    changes: list[Change] = []
    network = ""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Call(ast.Attribute(ast.Name("vizkit"), "ascend")):
                calls.append(node)
            case ast.Assign([ast.Name("net")], value) if (code := ast.unparse(value)).startswith("vizkit.load("):
                network = code
            case ast.If(ast.Compare(_, _, [ast.Constant(int(index))]), lines):
                changes += [(index + 1, *_turn(line, known)) for line in lines]
    (made,) = calls
    settings = {str(one.arg): _value(one.value, known) for one in made.keywords}
    if isinstance(settings.get("start"), str) and settings["start"] not in STARTS:  # never a path: a file opens no file
        raise VizkitError(f"A start is one of {', '.join(STARTS)}, not {settings['start']!r}.")
    targets, seed = _value(made.args[1], known), settings.pop("seed", 0)
    targets = targets if isinstance(targets, list) else [targets]
    return Run(network, targets, seed, Settings().but(**settings), tuple(changes))


def read_network(code: str) -> Classifier:
    """The network of `vizkit.load(…)`. Raises `VizkitError` where the code has none, or one of a hub, into which
    anybody may put what they like."""

    def ours(*names: Any, **how: Any) -> Classifier:
        if any(str(one).startswith("hf/") for one in (*names, *how.values())):
            raise VizkitError(f"This picture is of {code}: pass it, vizkit.reproduce(path, net).")
        return load(*names, **how)

    if not code:
        raise VizkitError("This picture is of somebody's own CNN: pass it, vizkit.reproduce(path, net).")
    return _value(ast.parse(code, mode="eval").body, {"vizkit.load": ours})


def _turn(line: ast.stmt, known: Mapping[str, Any]) -> tuple[str, Any]:
    match line:
        case ast.Assign([ast.Attribute(ast.Name("ascent"), knob)], value):
            return knob, _value(value, known)
        case ast.Expr(ast.Call(ast.Attribute(ast.Name("ascent"), knob), [], [])):
            return knob, None
    raise VizkitError(f"This turns no knob: {ast.unparse(line):.100}")


def _value(node: ast.expr, known: Mapping[str, Any]) -> Any:
    """What an expression says, of plain values and names that are known."""
    match node:
        case ast.BinOp(left, ast.Add(), right):
            return _value(left, known) + _value(right, known)
        case ast.List(values):
            return [_value(one, known) for one in values]
        case ast.Call(ast.Attribute() as made, arguments, keywords):
            named = {str(one.arg): _value(one.value, known) for one in keywords}
            return _value(made, known)(*(_value(one, known) for one in arguments), **named)
        case ast.Attribute(ast.Call() as made, "inside"):
            return _value(made, known).inside
        case ast.Name() | ast.Attribute():
            if (name := ast.unparse(node)) not in known:
                remedy = f"A regularizer of yours: define it first; else pass {name}=…."
                raise VizkitError(f"{name} is not in the file. {remedy}")
            return known[name]
    return ast.literal_eval(node)


# Files.


def write_whole(path: str | Path, content: bytes) -> Path:
    """Writes a file that appears whole, or not at all."""
    path = Path(path)
    part = path.with_name(f".{secrets.token_hex(4)}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def to_png(picture: Pictures, run: Run, texts: Mapping[str, str] | None = None) -> bytes:
    """The picture as a PNG file that holds the run, the versions that made it, what tells its network from another, and
    further texts by their names."""
    metadata = PngImagePlugin.PngInfo()
    metadata.add_text(KEY, write(run))  # not zipped: of zipped text, Pillow reads no more than 1 MB
    metadata.add_text("Software", f"vizkit {VERSION}, torch {torch.__version__}")
    metadata.add_text(FACTS, json.dumps(dict(run.facts)))
    if isinstance(run.settings.start, Tensor):
        metadata.add_text(START, _to_text(run.settings.start))
    for name, text in (texts or {}).items():
        metadata.add_text(name, text)
    return to_file(Image.fromarray(picture), "png", pnginfo=metadata)


def save(path: str | Path, picture: Pictures, run: Run) -> Path:
    """Writes the picture as such a file. Warns of what it cannot hold."""
    write_whole(path, to_png(picture, run))
    for name in ("optimizer", "basis"):
        if is_yours(name, getattr(run.settings, name)):
            remedy = f"To make it again: vizkit.reproduce(path, {name}=…)."
            warn(f"{path} cannot hold the {name} of your own. {remedy}")
    return Path(path)


def load_run(path: str | Path, given: Mapping[str, Any]) -> Run:
    """The run that a PNG holds, whichever version wrote it; `given` are the settings that it cannot hold."""
    try:
        with Image.open(path) as picture:
            text, start, facts = (picture.info.get(key) for key in (KEY, START, FACTS))
    except (ValueError, OSError) as error:  # or text that is too long to be settings
        raise VizkitError(f"{path} is no picture that can be read: {error}.") from error
    if not text:
        raise VizkitError(f"{path} carries no settings. Write it with ascent.save(path).")
    yours = {YOURS[name]: value for name, value in given.items() if name in YOURS}
    try:
        if text.startswith("{"):
            return _read_json(text)
        run = read(text, ({YOURS["start"]: _from_text(start)} if start else {}) | yours)
        return replace(run, facts=dict(json.loads(facts or "{}")))
    except Exception as error:  # of damaged text, Python's parser and the makers raise whatever they do
        raise VizkitError(f"The settings in {path} cannot be read: {type(error).__name__} {error}"[:400]) from error


def check_same(path: Any, told: Mapping[str, Any], facts: Mapping[str, Any], what: str = "another network") -> None:
    """Raises `VizkitError` where the facts of a network, or whatever else it is, are not those that a file tells of."""
    for name in (name for name in facts if name in told and name != "threads"):
        alike = told[name] == facts[name]
        with suppress(TypeError, ValueError):  # whatever stands in a damaged file
            if name == "scores":
                then, now = np.array(told[name], float), np.array(facts[name], float)
                alike = then.shape == now.shape and np.abs(then - now).max() <= 1e-3 * np.abs(then).max()
        if not alike:
            both = "other ones, or in another order" if name == "labels" else f"{told[name]} then, {facts[name]} now"
            raise VizkitError(f"{path} was made with {what} ({name}): {both}"[:400] + ".")


def _to_text(image: Tensor) -> str:
    values = image.cpu().numpy().astype("<f4")
    packed = base64.b64encode(zlib.compress(values.tobytes())).decode()
    return json.dumps({"shape": list(values.shape), "float32": packed})


def _from_text(text: str) -> Tensor:
    plain = json.loads(text)
    size = 4 * prod(plain["shape"])
    if not 0 < size <= LARGEST:
        raise VizkitError(f"A start image of shape {plain['shape']} is too large.")
    values = zlib.decompressobj().decompress(base64.b64decode(plain["float32"]), size + 1)
    return torch.from_numpy(np.frombuffer(values, "<f4").reshape(plain["shape"]).copy())


def _read_json(text: str) -> Run:
    """The run that version 0.1.0 wrote, in JSON."""
    plain = json.loads(text)
    how = {name: value for name, value in plain["recipe"].items() if name not in ("name", "source")}
    basis = {name: value for name, value in how["basis"].items() if name not in ("name", "spectrum")}
    if isinstance(basis.get("size"), int):  # then an image was square, whatever the network
        basis["size"] = (basis["size"], basis["size"])
    how |= {"basis": BASES[how["basis"]["name"]](**basis), "regularizer": _sum(how["regularizer"])}
    if how["start"] not in STARTS:
        how["start"] = _from_text(json.dumps(plain["image"]))
    network = plain["network"] if plain["network"].startswith("vizkit.load(") else ""
    turned = [(int(at), knob, _sum(to) if knob == "regularizer" else to) for at, knob, to in plain["changes"]]
    facts = {"classes": plain["labels"]} if "labels" in plain else {}
    return Run(network, plain["targets"], plain["seed"], Settings().but(**how), tuple(turned), facts)


def _sum(parts: list[dict[str, Any]]) -> Regularizer:
    """A regularizer of version 0.1.0, whose parts have a name, a strength and options."""
    made = (catalogue()[part["name"]](part["strength"], **part["options"]) for part in parts)
    return sum(made, none())
