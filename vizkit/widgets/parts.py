"""Small parts that the widgets share: looks, pictures, curves, messages, files."""

import ctypes
import itertools
import math
import os
import re
import time
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as W
import numpy as np
import torch
import traitlets
from PIL import Image

from ..errors import VizkitError
from ..figures import Line
from ..images import Pictures, png, to_file

EVERY = 0.2  # seconds between two drawings of a curve
MOST = 400  # points of a line that are sent: more than the pixels that it has across


class Page(anywidget.AnyWidget):
    """The style sheet and the script of the panel that it lies in."""

    _css = Path(__file__).with_name("style.css")
    _esm = Path(__file__).with_name("page.js")


class Picture(W.VBox):
    """An image, and in words what is to be seen on it."""

    def __init__(self) -> None:
        self.image = W.Image(layout=W.Layout(display="none"))  # one without content is shown as a broken one
        self.words = W.HTML().add_class("vizkit-alt")
        super().__init__([self.image, self.words])
        self.add_class("vizkit-image")

    def show(self, encoded: tuple[str, bytes], words: str) -> None:
        """`encoded`: format and bytes, as `encode` gives them."""
        self.image.format, self.image.value = encoded
        self.image.layout.display = ""
        self.words.value = escape(words)


class Curves(anywidget.AnyWidget):
    """Lines over the steps, with names above them; `measured` is what goes upwards."""

    shown = traitlets.Dict().tag(sync=True)
    _esm = Path(__file__).with_name("curves.js")

    def __init__(self, measured: str) -> None:
        super().__init__()
        self._measured, self._drawn = measured, 0.0
        self.add_class("vizkit-curves")

    def grow(self, lines: Callable[[], Sequence[Line]], at_once: bool, **how: Any) -> None:
        """Shows them anew, if it is time to. `how`: how many steps there is room for, `reach`; what is always in sight,
        `least` and `most`; the `marks`, each with its number, step and words; the `words` for those who cannot see it,
        if they are other than where each line begins and ends."""
        if at_once or time.perf_counter() - self._drawn > EVERY:
            self._drawn = time.perf_counter()
            self.shown = {"measured": self._measured, "lines": [_plain(line) for line in lines()], **how}


def _plain(line: Line) -> dict[str, Any]:
    """A line as JSON holds it, which knows no NaN; of very many points as many as one can see."""
    chosen = np.unique(np.linspace(0, len(line.steps) - 1, min(MOST, len(line.steps))).round().astype(int))
    values = [float(f"{line.values[one]:.6g}") for one in chosen]
    points = [[line.steps[one], value] for one, value in zip(chosen, values, strict=True) if math.isfinite(value)]
    return {"label": line.label, "colour": line.colour, "style": line.style, "faint": line.faint, "points": points}


def hand_back_memory() -> None:
    """What loading a network has taken and needs no more: 0.3 GB that glibc would keep. Elsewhere it does nothing."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def note(text: str, alert: bool = False, link: str = "", often: bool = False) -> str:
    """A sentence as HTML, read aloud to those who want it unless it changes `often`; `link` is HTML already."""
    looks = 'class="vizkit-alert" role="alert"' if alert else f"class=vizkit-note{'' if often else ' role=status'}"
    return f"<div {looks}>{escape(text)} {link}</div>"


def error_text(error: BaseException) -> str:
    """An error as a sentence for a person."""
    if isinstance(error, VizkitError):
        return str(error)
    if isinstance(error, torch.OutOfMemoryError):
        return "The device has not enough memory for this network. Choose a smaller one, or restart the kernel."
    # Where in a person's own code: not in vizkit, nor in Python's own or installed modules.
    others = (str(Path(__file__).parents[1]), "site-packages", "dist-packages", "lib/python")
    frames = traceback.extract_tb(error.__traceback__)
    yours = [frame for frame in frames if not any(part in frame.filename for part in others)]
    where = f" (in {yours[-1].name}, line {yours[-1].lineno})" if yours else ""
    return f"This did not work: {type(error).__name__}: {error}{where}"


def encode(picture: Pictures) -> tuple[str, bytes]:
    """Format and bytes for the browser: JPEG is quick and small; a picture of few pixels is enlarged, as a PNG."""
    if max(picture.shape) <= 96:
        return "png", png(picture)
    return "jpeg", to_file(Image.fromarray(picture), "jpeg", quality=88, subsampling=0)


def unused_name(labels: Iterable[str], ending: str) -> Path:
    """A file name made of labels, each once, in their order, of a bearable length, that no file here has yet."""
    stem = re.sub(r"[^\w-]+", "-", "-".join(dict.fromkeys(labels)))[:60].strip("-") or "class-model"
    names = (f"{stem}{'' if count == 1 else f'-{count}'}.{ending}" for count in itertools.count(1))
    return next(Path(name) for name in names if not os.path.lexists(name))  # it tells of links to nowhere, too


def download_link(path: Path, content: bytes) -> str:
    """A link that carries the file, so that it works wherever the kernel runs."""
    kind, data = path.suffix.lstrip("."), b64encode(content).decode()
    return f'<a download="{escape(path.name)}" href="data:image/{kind};base64,{data}">download it</a>'
