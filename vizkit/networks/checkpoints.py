"""Weights from a file. Nothing in the file is run: it is read as numbers and names alone."""

import codecs
import copy
import pickle
import reprlib
import zipfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import VizkitError, warn
from .preparing import as_module, name_of

INSIDE = ("state_dict", "model_state_dict", "model")  # where training scripts put the weights
WRAPPERS = ("module", "_orig_mod")  # what DataParallel and torch.compile put into names
NUMPY = [np.dtype, np.ndarray, np.float64(0).__reduce__()[0], np.zeros(0).__reduce__()[0], codecs.encode]
NUMPY += [getattr(np.dtypes, name) for name in np.dtypes.__all__]  # numbers, too, as training scripts save them

Module = TypeVar("Module", bound=nn.Module)


def load_weights(module: Module, path: str | Path, key: str | None = None) -> Module:
    """
    >>> cnn = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(28 * 28, 2))
    >>> torch.save(cnn.state_dict(), folder / "cnn.pth")
    >>> vizkit.load_weights(cnn, folder / "cnn.pth")
    Sequential(
      (0): Flatten(start_dim=1, end_dim=-1)
      (1): Linear(in_features=784, out_features=2, bias=True)
    )

    Fills the module with the weights of a checkpoint file, of torch or safetensors, and returns it. No code in the file
    is run. The weights may lie under "state_dict", "model_state_dict" or "model", or `key`; wrappers such as
    DataParallel may have put their words into the names; and there may be other things beside them. Warns where a file
    holds several sets of weights.

    Raises `VizkitError`, and leaves the module as it was, where the file is missing, damaged, of another kind or holds
    code, or where its names or shapes are not the module's.
    """
    target = as_module(module)
    own = target.state_dict()
    weights = matched(read_weights(path, key), own)
    before = copy.deepcopy(own)
    try:
        target.load_state_dict(weights)
    except Exception as error:
        for name, value in target.state_dict().items():  # its own way in may be what failed
            if isinstance(value, Tensor):
                value.copy_(before[name])
        remedy = "Make the network as it was when they were saved, with the same head."
        raise VizkitError(f"{path} does not fit {name_of(target)}. {remedy} torch said: {str(error)[:600]}") from error
    return module


def read_weights(path: str | Path, key: str | None = None) -> dict[str, Tensor]:
    """The state dict in a checkpoint file; an error that names the file and what it holds."""
    content = read(path)
    while isinstance(content, Mapping):
        inside = {one: part for one, part in content.items() if isinstance(part, Mapping)}
        sets = [one for one, part in inside.items() if _is_state(part) or one in INSIDE]
        usual = [one for one in ([key] if key else INSIDE) if one in sets]
        if not usual:
            break
        if len(sets) > 1 and key is None:
            others = ", ".join(f"key={one!r}" for one in sets if one != usual[0])
            warn(f"{path} holds several sets of weights. {usual[0]!r} is taken; else: {others}.")
        content, key = content[usual[0]], None
    if key is not None or not _is_state(content):
        found = f"a {type(content).__name__} of {reprlib.repr([*content] if isinstance(content, Mapping) else [])}"
        remedy = "Name the part that is one, key=…, or fill the network, cnn.load_state_dict(torch.load(path)[…])."
        raise VizkitError(f"{path} holds no state dict in a usual place, but {found}. {remedy}")
    return dict(content)


def _is_state(part: Any) -> bool:
    """Whether it is a table of weights by name."""
    entries = part.items() if isinstance(part, Mapping) else ()
    named = [isinstance(name, str) and (isinstance(one, Tensor) or "_extra_state" in name) for name, one in entries]
    return bool(named) and all(named)


def matched(weights: Mapping[str, Tensor], own: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights by the module's own names, where those are found under one prefix, whatever wrappers have put into
    them; else as they are."""
    given, wanted = ({_bare(name): name for name in names} for names in (weights, own))
    shared = {name.split(".")[0] + "." for name in wanted}
    prefixes = ["", *dict.fromkeys(name[: at + 1] for name in given for at, letter in enumerate(name) if letter == ".")]
    fits: dict[str, dict[str, Tensor]] = {}
    for outer in ("", *(shared if len(shared) == 1 else ())):
        names = {name.removeprefix(outer): full for name, full in wanted.items()}
        needed = {name for name in names if not name.endswith("num_batches_tracked")}
        for prefix in sorted(() if fits else prefixes, key=len):
            under = {name.removeprefix(prefix): full for name, full in given.items() if name.startswith(prefix)}
            if needed and needed <= under.keys():
                parts = {name.split(".")[0] for name in names}  # what is there for them beyond it may be a deeper one's
                chosen = {name: full for name, full in under.items() if name.split(".")[0] in parts}
                fits[prefix] = {names.get(name, name): weights[full] for name, full in chosen.items()}
    if len(fits) > 1:
        taken, *others = fits
        warn(f"Several sets of weights fit, by their names: {taken!r} is taken, not {others}.")
    elif "" in fits and (left := _left_out(weights, fits[""])):
        warn(f"The network has no place for {reprlib.repr(left)}, which are left out.")
    return next(iter(fits.values()), dict(weights))


def _left_out(weights: Mapping[str, Tensor], chosen: Mapping[str, Tensor]) -> list[str]:
    """The names of what was not chosen, but for plain numbers such as counters."""
    taken = {id(one) for one in chosen.values()}
    return [name for name, one in weights.items() if id(one) not in taken and isinstance(one, Tensor) and one.ndim]


def _bare(name: str) -> str:
    """A name without what DataParallel, AveragedModel and torch.compile put into it."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def read(path: str | Path) -> Any:
    """What torch.save wrote into a file, numbers and names alone, or safetensors; an error that says what else the file
    is."""
    try:
        if _is_safetensors(Path(path)):
            return import_module("safetensors.torch").load_file(path)
        with torch.serialization.safe_globals(NUMPY):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # Not "from error": torch's own words recommend to run the code.
        raise VizkitError(f"{path} {_trouble(Path(path), error)}") from None


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(24)


def _is_safetensors(path: Path) -> bool:
    """By what stands in it, whatever its name: how long a table is, and the table, as JSON."""
    return path.is_file() and _head(path)[8:10] == b'{"'


def _trouble(path: Path, error: Exception) -> str:
    """Why torch could not read it as numbers and names, and what to do; not in torch's words, for the same reason."""
    if not path.is_file() or isinstance(error, PermissionError):
        return "is not there, as a file, or may not be read. See its name, its folder and its permissions."
    if _is_safetensors(path):
        reason = "needs: pip install safetensors" if isinstance(error, ImportError) else "is damaged: save it again"
        return f"is a safetensors file, which {reason}."
    head = _head(path)
    if head.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the file itself: git lfs pull fetches that."
    if head.startswith(b"\x89HDF") or path.suffix in (".h5", ".keras", ".onnx", ".tflite", ".pb"):
        return "is of another framework. vizkit takes a torch.nn.Module, and its weights as torch.save writes them."
    names = zipfile.ZipFile(path).namelist() if zipfile.is_zipfile(path) else []
    programs = {"/code/": "jit", "exported_program.json": "export", "models/model.json": "export"}
    for part, kind in programs.items():
        if any(part in name for name in names):
            return f"is a program: pass torch.{kind}.load(path) to vizkit.Classifier as it is."
    if isinstance(error, pickle.UnpicklingError) and (names or head[:1] == b"\x80"):
        return "holds code, which was not run. Where it was made: torch.save(cnn.state_dict(), path), and load that."
    return "is not a checkpoint that torch.save has made, or it is damaged. Save or download it again."
