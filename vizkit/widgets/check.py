"""What works on this page: the probe behind `notebooks/99_colab_check.ipynb`."""

import sys
import time
from html import escape
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any

import anywidget
import ipywidgets as W
import torch
import traitlets

from ..ascent import Ascent, ascend
from ..networks import load
from .parts import encode, style
from .run_loop import FRAME, RunLoop

PACKAGES = ("vizkit-notebooks", "torch", "torchvision", "numpy", "matplotlib", "ipywidgets", "anywidget", "ipykernel")


class Echo(anywidget.AnyWidget):
    """Tells the kernel every number that reaches the page."""

    number = traitlets.Int(0).tag(sync=True)
    _esm = """
    function initialize({ model }) {
      model.on("change:number", () => model.send({ seen: model.get("number") }));
    }
    export default { initialize, render() {} };
    """


class Check(W.VBox):
    """
    >>> vizkit.widgets.check.Check({"installed in": "9 s"}).rows["installed in"]
    '9 s'

    Makes a class model for some seconds and counts what reaches the page: asked for by the page, as on Colab (pull),
    and sent by the kernel unasked, as in Jupyter (push). Shows a table to paste into an issue. `rows`: more for it.
    """

    def __init__(self, rows: dict[str, str] | None = None, seconds: float = 6) -> None:
        self.net, self.seconds = load(), seconds
        self.rows = {"Python": python_version(), **{name: _version(name) for name in PACKAGES}}
        self.rows |= {"google.colab": "yes" if "google.colab" in sys.modules else "no", "runs on": _device(self.net)}
        self.rows |= rows or {}
        self._ascent: Ascent | None = None
        self._answers = self._sent = self._seen = 0
        self.echo, self.picture, self.table = Echo(), W.Image(format="jpeg"), W.HTML()
        self.echo.on_msg(self._on_echo)
        self.loop = RunLoop(self._answer, pull=True)
        super().__init__(
            [style(), self.table, self.picture, self.echo, *([self.loop.clock] if self.loop.clock else [])]
        )
        self.add_class("vizkit")
        self._show("measuring; it starts when no cell is running")
        self.loop.start(self._measure)

    async def _measure(self) -> None:
        ascent = self._ascent = ascend(self.net, "flamingo", steps=1_000_000)
        next(ascent)  # the first step takes longer
        began = sent = time.perf_counter()
        self._answers = 0
        while (now := time.perf_counter()) - began < self.seconds:
            next(ascent)
            if now - sent > FRAME:
                sent, self._sent = now, self._sent + 1
                self.echo.number = self._sent
            await self.loop.breathe()
        self.rows["steps a second"] = f"{len(ascent.history) / self.seconds:.1f}"
        self.rows["pull: pictures a second"] = f"{self._answers / self.seconds:.1f}"
        self.rows["push: arrived of sent"] = f"{self._seen} of {self._sent}"

    def _answer(self) -> None:
        """To a question of the page: the newest picture, and at the end the table."""
        self._answers += 1
        if self._ascent:
            self.picture.format, self.picture.value = encode(self._ascent.picture)
        self._show("measuring" if self.loop.busy else self.loop.state)

    def _on_echo(self, _widget: Any, _content: Any, _buffers: Any) -> None:
        self._seen += 1

    def _show(self, state: str) -> None:
        lines = [f"| {name} | {value} |" for name, value in {**self.rows, "check": state}.items()]
        self.table.value = f"<pre class=vizkit-code>{escape(chr(10).join(['| | |', '|---|---|', *lines]))}</pre>"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed as a package"


def _device(net: Any) -> str:
    return torch.cuda.get_device_name(net.device) if net.device.type == "cuda" else str(net.device)
