"""Small parts that the widgets share: looks, buttons, messages, encoded pictures."""

import io
import itertools
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as W
import torch
from PIL import Image

from ..ascent import Ascent
from ..errors import VizkitError
from ..images import Pictures

# The variables are JupyterLab's, so that both of its themes fit; the second value is for pages without them.
CSS = """
.vizkit { gap: 6px; max-width: 1360px; padding: 4px 2px; }
.vizkit-columns { display: flex; flex-flow: row wrap; gap: 18px; align-items: flex-start; overflow: visible; }
.vizkit-controls { flex: 1 1 270px; max-width: 320px; min-width: 0; overflow: visible; }
.vizkit-stage { flex: 3 1 300px; max-width: 448px; min-width: 0; overflow: visible; }
.vizkit-score { flex: 2 1 250px; max-width: 520px; min-width: 0; overflow: visible; }
.vizkit-compared { flex: 1 1 180px; max-width: 300px; min-width: 0; overflow: visible; }
.vizkit-compared img { width: 100%; height: auto; border-radius: 6px; }
.vizkit-score img { width: 100%; height: auto; }
img.vizkit-picture, .vizkit-picture img { width: 100%; height: auto; border-radius: 6px; object-fit: contain; }
.vizkit-row { gap: 6px; align-items: center; flex-flow: row wrap; overflow: visible; }
.vizkit-row .widget-button, .vizkit-row .jupyter-button { width: auto; min-width: 84px; padding: 0 12px; }
.vizkit-row .widget-hprogress, .vizkit-row .widget-inline-hbox { flex: 1 1 240px; max-width: 620px; width: auto; }
.vizkit-timeline { width: auto; max-width: 790px; }
.vizkit-strip { display: flex; flex-flow: row wrap; gap: 12px; overflow: visible; }
.vizkit-gallery { flex: 3 1 500px; max-width: 900px; min-width: 0; overflow: visible; display: grid; gap: 10px;
  grid-template-columns: repeat(auto-fill, minmax(124px, 1fr)); }
.vizkit-gallery .vizkit-caption { font-size: 12px; }
.vizkit-gallery img { width: 100%; height: auto; border-radius: 4px; }
.vizkit-training img { width: 100%; max-width: 900px; height: auto; }
.vizkit-card { width: 168px; overflow: visible; }
.vizkit-card img { width: 168px; height: auto; border-radius: 4px; }
.vizkit-note, .vizkit-caption { color: var(--jp-ui-font-color1, #333); line-height: 1.4; overflow-wrap: anywhere; }
.vizkit-note { color: var(--jp-ui-font-color2, #555); font-size: 12px; }
.vizkit-caption { font-size: 14px; font-variant-numeric: tabular-nums; padding-top: 4px; }
.vizkit-stage .vizkit-caption { min-height: 5.6em; }
.vizkit-alert { border-left: 4px solid #D55E00; padding: 4px 10px; font-size: 14px;
  color: var(--jp-ui-font-color1, #333); overflow-wrap: anywhere; }
.vizkit-note a { color: var(--jp-content-link-color, #0645ad); text-decoration: underline; }
.vizkit-indented { margin-left: 96px; }
.vizkit-image { overflow: visible; }
.vizkit :is(button, select, input, [role=slider], [role=textbox]):focus-visible { outline-offset: 1px;
  outline: 2px solid var(--jp-ui-font-color1, #333); }
[data-jp-theme-light=false] :is(.vizkit-score, .vizkit-training) img { filter: brightness(1.25); }
.vizkit pre.vizkit-code { border: 1px solid var(--jp-border-color2, #ccc); border-radius: 4px; padding: 10px;
  overflow-x: auto; line-height: 1.4;
  color: var(--jp-content-font-color1, #222); background: var(--jp-layout-color1, #fff); }
"""

# What ipywidgets leaves undone for people who cannot see the page, or who use the keyboard: it gives sliders no name
# and images no alternative text, and Jupyter takes single keys for its own (an x cuts the cell) while a button or a
# list has the focus. Where a page does not run it, all else works.
SCRIPT = """
const page = this.closest('.vizkit');
const tell = () => {
  for (const words of page.querySelectorAll('.vizkit-alt')) words.previousElementSibling.alt = words.textContent;
  for (const handle of page.querySelectorAll('.noUi-handle, .ui-slider-handle')) {
    const slider = handle.closest('.widget-inline-hbox'), number = slider.querySelector('.widget-readout');
    for (const [part, role] of [[handle, 'slider'], [number, 'textbox']]) {
      part.setAttribute('role', role);
      part.setAttribute('aria-label', slider.querySelector('.widget-label').textContent);
    }
    handle.setAttribute('aria-valuetext', number.textContent);
  }
  for (const fold of page.querySelectorAll('.widget-toggle-button'))
    fold.setAttribute('aria-expanded', fold.classList.contains('mod-active'));
};
if (page && !page.told) {
  page.told = new MutationObserver(tell);
  page.told.observe(page, {childList: true, subtree: true, attributeFilter: ['class']});
  const plain = (key) => !(key.ctrlKey || key.metaKey || key.altKey);
  page.addEventListener('keydown', (key) => plain(key) && key.stopPropagation());
  window.addEventListener('keydown', (key) => {  // Notebook 7 hears of a key before the page does
    if (page.contains(key.target)) key.target.toggleAttribute('data-lm-suppress-shortcuts', plain(key));
  }, true);
  tell();
}
"""

NARROW = {"description_width": "88px"}


def style() -> Any:
    """The style sheet, and the script that it starts where it is shown, as a widget that takes no room."""
    return W.HTML(f'<style onload="{escape(SCRIPT)}">{CSS}</style>', layout=W.Layout(display="none"))


@cache
def wide() -> Any:
    """The layout of all that is as wide as its column. One for all: each is a channel of its own to the page, and some
    pages have room for no more than 250 (JupyterLab's "Comms over subshells: per comm" gives each a thread)."""
    return W.Layout(width="auto")


def field(kind: type, label: str, **traits: Any) -> Any:
    """A control with its label at the left, as wide as its column."""
    return kind(description=label, style=NARROW, layout=wide(), **traits)


class Picture(W.VBox):
    """An image, and in words what is to be seen on it."""

    def __init__(self) -> None:
        hidden = {"display": "none"}  # an image without content is shown as a broken one
        self.image, self.words = W.Image(layout=W.Layout(**hidden)), W.HTML(layout=W.Layout(**hidden))
        self.words.add_class("vizkit-alt")
        super().__init__([self.image, self.words])
        self.add_class("vizkit-image")

    def show(self, encoded: tuple[str, bytes], words: str) -> None:
        """`encoded`: format and bytes, as `encode` gives them."""
        self.image.format, self.image.value = encoded
        self.image.layout.display = ""
        self.words.value = escape(words)


def button(label: str, icon: str, tooltip: str, clicked: Callable[[Any], None], look: str = "") -> Any:
    made = W.Button(description=label, icon=icon, tooltip=tooltip, button_style=look)
    made.on_click(clicked)
    return made


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
    return f"This did not work: {type(error).__name__}: {error}"


def encode(picture: Pictures, kind: str = "jpeg") -> tuple[str, bytes]:
    """Format and bytes for the browser: JPEG is quick and small; a picture of few pixels is enlarged, as a PNG."""
    image, stream = Image.fromarray(picture), io.BytesIO()
    if max(image.size) <= 96:
        factor = 448 // max(image.size)
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
        kind = "png"
    image.save(stream, format=kind, **({"quality": 88, "subsampling": 0} if kind == "jpeg" else {}))
    return kind, stream.getvalue()


def curve_words(ascent: Ascent, names: Sequence[str] = ()) -> str:
    """What the score curve shows, in words."""
    history = ascent.history
    lines = [
        f"{name} from {first:.1f} to {last:.1f}"
        for name, first, last in zip(names or ascent.labels, history[0].scores, history[-1].scores, strict=True)
    ]
    rival = f"; strongest rival: {ascent.net.labels[history[-1].rivals[0]]} {history[-1].rival_scores[0]:.1f}"
    return f"score curve: {', '.join(lines)} in {ascent.step} steps{rival if len(lines) == 1 else ''}"


def unused_name(label: Path | str, ending: str) -> Path:
    """A file name made of a label, in the current folder, that no file has yet."""
    stem = re.sub(r"[^\w-]+", "-", str(label)).strip("-") or "class-model"
    names = (Path(f"{stem}{'' if count == 1 else f'-{count}'}.{ending}") for count in itertools.count(1))
    return next(name for name in names if not name.exists())


def download_link(path: Path) -> str:
    """A link that carries the file, so that it works wherever the kernel runs."""
    data = b64encode(path.read_bytes()).decode()
    kind = path.suffix.lstrip(".")
    return f'<a download="{escape(path.name)}" href="data:image/{kind};base64,{data}">download it</a>'
