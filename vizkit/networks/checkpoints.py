"""Weights from a file. Nothing in the file is run: it is read as numbers and names alone."""

import copy
import pickle
import reprlib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..errors import VizkitError
from .preparing import as_module, name_of

INSIDE = ("state_dict", "model_state_dict", "model")  # where training scripts put the weights
AROUND = ("module.", "_orig_mod.", "model.", "net.")  # what DataParallel, torch.compile and Lightning put before names

Module = TypeVar("Module", bound=nn.Module)


def load_weights(module: Module, path: str | Path) -> Module:
    """
    >>> cnn = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(28 * 28, 2))
    >>> torch.save(cnn.state_dict(), folder / "cnn.pth")
    >>> vizkit.load_weights(cnn, folder / "cnn.pth")
    Sequential(
      (0): Flatten(start_dim=1, end_dim=-1)
      (1): Linear(in_features=784, out_features=2, bias=True)
    )

    Fills the module with the weights of a checkpoint file, and returns it. No code in the file is run. The weights may
    lie under "state_dict", "model_state_dict" or "model", and their names begin as DataParallel, torch.compile or
    Lightning make them.

    Raises `VizkitError`, and leaves the module as it was, where the file is missing, damaged, of another kind or holds
    code, or where its names or shapes are not the module's.
    """
    target = as_module(module)
    weights, own = read_weights(path), target.state_dict()
    namings = [({name: name for name in weights}, {name: name for name in own}), (_bare(weights), _bare(own))]
    given, wanted = max(namings, key=lambda names: len(names[0].keys() & names[1].keys()))
    before = copy.deepcopy(own)
    try:
        target.load_state_dict({wanted.get(name, name): weights[key] for name, key in given.items()})
    except Exception as error:
        for name, value in target.state_dict().items():  # its own way in may be what failed
            if isinstance(value, Tensor):
                value.copy_(before[name])
        remedy = "Make the network as it was when they were saved, with the same head."
        raise VizkitError(f"{path} does not fit {name_of(target)}. {remedy} torch said: {str(error)[:600]}") from error
    return module


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The state dict in a checkpoint file; an error that names the file and what it holds."""
    content = read(path)
    while isinstance(content, Mapping) and (inside := [key for key in INSIDE if isinstance(content.get(key), Mapping)]):
        content = content[inside[0]]
    parts = content if isinstance(content, Mapping) else {}
    is_state = [isinstance(key, str) and (isinstance(parts[key], Tensor) or "_extra_state" in key) for key in parts]
    if not parts or not all(is_state):
        found = f"a {type(content).__name__} of {reprlib.repr([*parts])}"
        remedy = "Save cnn.state_dict(), or take it out: cnn.load_state_dict(torch.load(path, weights_only=True)[…])."
        raise VizkitError(f"{path} holds no state dict in a usual place, but {found}. {remedy}")
    return dict(parts)


def read(path: str | Path) -> Any:
    """What torch.save wrote into a file, numbers and names alone; an error that says what else the file is."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # Not "from error": torch's own words recommend to run the code.
        raise VizkitError(f"{path} {_trouble(Path(path), error)}") from None


def _trouble(path: Path, error: Exception) -> str:
    """Why torch could not read it as numbers and names, and what to do; not in torch's words, for the same reason."""
    if not path.is_file() or isinstance(error, PermissionError):
        return "is not there, as a file, or may not be read. See its name, its folder and its permissions."
    with path.open("rb") as stream:
        head = stream.read(10)
    if path.suffix == ".safetensors" or head[8:] == b'{"':
        return "is a safetensors file: fill the network, cnn.load_state_dict(safetensors.torch.load_file(path))."
    names = zipfile.ZipFile(path).namelist() if zipfile.is_zipfile(path) else []
    programs = {"/code/": "jit", "exported_program.json": "export", "models/model.json": "export"}
    for part, kind in programs.items():
        if any(part in name for name in names):
            return f"is a program: pass torch.{kind}.load(path) to vizkit.Classifier as it is."
    if isinstance(error, pickle.UnpicklingError) and (names or head[:1] == b"\x80"):
        return "holds code, which was not run. Where it was made: torch.save(cnn.state_dict(), path), and load that."
    return "is not a checkpoint that torch.save has made, or it is damaged. Save or download it again."


def _bare(names: Iterable[str]) -> dict[str, str]:
    """The names without what wrappers put before all of them: {bare: as it is}."""
    bare = {name: name for name in names}
    while bare and (shared := [start for start in AROUND if all(name.startswith(start) for name in bare)]):
        bare = {name.removeprefix(shared[0]): full for name, full in bare.items()}
    return bare
