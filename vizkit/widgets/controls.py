"""The left-hand side of the widgets: what a person chooses, as settings, a class and a seed."""

import io
import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from html import escape
from itertools import zip_longest
from pathlib import Path
from threading import RLock
from typing import Any

import ipywidgets as W
from torch import Tensor

from ..bases import BASES, STARTS, as_basis
from ..errors import VizkitError
from ..images import as_photo
from ..networks import Classifier, networks
from ..recipes import WITHOUT, as_recipe, recipes
from ..regularization import Part, Place, Regularizer, none
from ..regularizers import catalogue
from ..settings import LIVE, OBJECTIVES, OPTIMIZERS, SCHEDULES, Settings
from .words import HELP, WAITS, in_words, indented, small_print

MOST_STEPS = 10**6
NO_PRESET, CLASSES, OTHER = "–", "the classes", "another, by its name …"
# The settings that are one value of one control; the start comes last, as it is shown when all else is set.
VALUES = ("learning_rate", "steps", "schedule", "optimizer", "basis", "objective", "start")
Field = Callable[..., Any]
Follows = Callable[[], None]  # what follows where a control is turned


class LogKnob(W.VBox):
    """A slider over round numbers, evenly spaced on a log scale: 1, 1.5, 2, 3, 5, 7, 10, …"""

    slider: Any = None  # before there is something to set: most rows never need theirs
    range: tuple[float, float] = (1e-4, 1000.0)

    def __init__(self, knob: Field, label: str, then: Follows) -> None:
        super().__init__()
        self._knob, self._label, self._then = knob, label, then

    @property
    def value(self) -> float:
        return float(self.slider.value)

    @value.setter
    def value(self, value: float) -> None:
        """Any value, between the round ones if need be."""
        options = _round_numbers(*self.range, value)
        if self.slider and list(self.slider.options) == options:
            self.slider.value = value
            return
        # A new slider: the browser's loses its place when the options of an old one change.
        made = self._knob(W.SelectionSlider, self._label, self._then, options=options, value=value)
        old, self.slider, self.children = self.slider, made, (made,)
        if old:
            old.style.close()
            old.close()


def _round_numbers(low: float, high: float, value: float) -> list[tuple[str, float]]:
    least = low or high * 1e-4  # a log scale never reaches zero: it is one more number at the end
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(high)) + 1)
    numbers = {float(f"{digit}e{power}") for power in powers for digit in (1, 1.5, 2, 3, 5, 7)}
    chosen = {number for number in numbers if low <= number <= high} | {low, high, value}
    return [(f"{number:g}", number) for number in sorted(chosen)]


class RegularizerRow(W.VBox):
    """One regularizer: its type, its strength, and those of its options that are not the usual ones."""

    def __init__(self, knob: Field, label: str, place: Place, then: Follows) -> None:
        kinds = [name for name, kind in catalogue().items() if kind.place == place]
        self.kind = knob(W.Dropdown, label, self._on_kind, options=["none", *kinds])
        self.strength = LogKnob(knob, "strength", then)
        self.note: Any = None  # before there is something to say: each widget is a channel to the page
        self._then = then
        super().__init__([self.kind, self.strength])
        self.set(None)

    def regularizer(self) -> Regularizer:
        kind = catalogue().get(self.kind.value)
        return kind(self.strength.value if kind.strengths else None, **self._options) if kind else none()

    def set(self, part: Part | None) -> None:
        self.kind.value = part.kind.name if part else "none"
        self._options = part.options if part else {}
        if self._options and not self.note:
            self.note = W.HTML()
            self.children = (self.kind, self.strength, self.note)
        if self.note:
            self.note.value = small_print(self._options)
        strengths = part.kind.strengths if part else None
        self.strength.layout.display = "" if strengths else "none"
        if part and strengths:
            self.strength.range, self.strength.value = strengths, part.strength

    def _on_kind(self) -> None:
        kind = catalogue().get(self.kind.value)
        self.set(kind().parts[0] if kind else None)
        self._then()


class RegularizerRows(W.VBox):
    """The regularizers of one place in a step: as many as are in use, and room for one more. `front` of them stand
    elsewhere."""

    def __init__(self, knob: Field, label: str, place: Place, then: Follows, front: int = 0) -> None:
        super().__init__()
        self._make = partial(RegularizerRow, knob, place=place, then=then)
        self._place, self._front, self.rows = place, front, [self._make(label)]

    def regularizer(self) -> Regularizer:
        return sum((row.regularizer() for row in self.rows), none())

    def set(self, regularizer: Regularizer) -> None:
        """Shows the parts that act here."""
        parts: list[Part | None] = [part for part in regularizer.parts if part.kind.place == self._place]
        if parts and parts[0] and "activations" in parts[0].kind.asks:  # it goes with the preset: the front stays free
            parts.insert(0, None)
        self.rows += [self._make("and") for _ in parts[len(self.rows) :]]
        for row, part in zip_longest(self.rows, parts):
            row.set(part)
        self.show()

    def show(self) -> None:
        room = 2 + max((index for index, row in enumerate(self.rows) if row.kind.value != "none"), default=-1)
        self.rows += [self._make("and") for _ in range(len(self.rows), room)]
        self.children = self.rows[self._front : room]


class ClassPicker(W.VBox):
    """A class by typing: the list shows the labels that fit."""

    def __init__(self, field: Field, net: Classifier, target: Any = None) -> None:
        self.query = field(W.Text, "Find a class", placeholder="for example flam", continuous_update=True)
        self.guess = W.HTML()
        self.choice = field(W.Select, "Class", rows=7)
        self._labels = ["flamingo"]  # before there are any
        self.show(net, target)
        self.query.observe(lambda _: self._filter(), "value")
        super().__init__([self.query, self.guess, self.choice])

    def show(self, net: Classifier, target: Any = None) -> None:
        """The classes of `net`, with one chosen: `target`, or the one that was, by name, or else the first."""
        if target is None:
            label = self._labels[self.target]
            target = label if label in net.labels else 0
        index = net.index(target)
        self.net, self._labels, self.query.value = net, net.labels, ""
        self._filter()
        self.choice.value = index

    @property
    def target(self) -> int:
        """The index of the chosen class."""
        return int(self.choice.value or 0)

    def _filter(self) -> None:
        net, chosen, query = self.net, self.choice.value, self.query.value.strip()
        found = net.find(query) if query else dict(enumerate(net.labels))
        guess = f"No class “{query}”{'. Nearest:' if found else ', and none is near.'}"
        self.guess.value = indented("" if not query or net.has(query) else guess, "status")
        twice = {label for label, count in Counter(net.labels).items() if count > 1}
        options = [(f"{label} ({index})" if label in twice else label, index) for index, label in found.items()]
        if not options:
            return  # keep the list as it was: an empty one could choose nothing
        # First no choice, then the list, then the choice: the browser marks it only if it has changed.
        self.choice.index = None
        self.choice.options = options
        self.choice.index = list(found).index(chosen) if chosen in found and not query else 0


class PhotoPicker(W.VBox):
    """Takes one picture file, and keeps it as it is: another network may need it in another size."""

    def __init__(self, field: Field) -> None:
        self.upload = field(W.FileUpload, "Choose a photo", accept="image/*")
        self.note = W.HTML()
        self.photo: Any = None
        super().__init__([self.upload, self.note], layout=W.Layout(display="none"))
        self.add_class("vizkit-indented")

    def take(self, files: Any) -> None:
        """Keeps an uploaded file. Raises `VizkitError` for one that is no picture; then the photo before it stays."""
        # ipywidgets 7 has a dict of files by name, 8 a tuple of files.
        name, file = next(iter(files.items())) if isinstance(files, dict) else (files[0]["name"], files[0])
        try:
            self.keep(io.BytesIO(bytes(file["content"])), name)
        except VizkitError as error:
            raise VizkitError(f"{error}{' The photo before it stays.' if self.photo else ''}") from error

    def keep(self, picture: Any, name: str = "") -> None:
        """A photo (see `vizkit.images.as_photo`), or a start image: a zero-centred tensor."""
        tensor = isinstance(picture, Tensor)
        self.photo = picture.detach().clone() if tensor else as_photo(picture, name)
        size = " × ".join(map(str, self.photo.shape[:1:-1] if tensor else self.photo.size))
        name = name or (Path(picture).name if isinstance(picture, (str, Path)) else "")
        self.note.value = f"<div class=vizkit-note>{escape(', '.join(filter(None, [name, size])))}</div>"


class Controls(W.VBox):
    """Everything a person can choose. `turned(name)` is called when a live setting is turned, one that acts on
    the next step of a run; the others wait for the next run."""

    def __init__(self, net: Classifier, target: Any, field: Field, turned: Callable[..., None]) -> None:
        self._turned, self._sets, self._basis = turned, False, as_basis("pixels")
        self._optimizer_options: dict[str, Any] = {}
        self._preset: tuple[str, Settings | None] = "", None  # its name, and what it has set
        self._lock = RLock()  # a person's clicks come in threads of their own
        self.network = field(W.Dropdown, "Network", options=[*networks(), OTHER])
        self.other = field(W.Text, "Its name", placeholder="timm/NAME or hf/OWNER/NAME", continuous_update=False)
        self.other.layout = W.Layout(width="auto", display="none")
        self.look = field(W.Dropdown, "Look at")
        self.picker = ClassPicker(field, net, target)
        self.show_network(net)

        def knob(kind: type, label: str, then: Follows, **traits: Any) -> Any:
            made = field(kind, label, **traits)
            made.observe(lambda change: self._told(change, then), "value")
            return made

        def on(name: str) -> Follows:
            return lambda: self._on_knob(name)

        self.preset = knob(W.Dropdown, "Preset", self._on_preset, options=[("", NO_PRESET)])
        self.penalties = RegularizerRows(knob, "Regularizer", "penalty", on("regularizer"), front=1)
        self.views = RegularizerRows(knob, "Shown", "view", on("regularizer"))
        self.projections = RegularizerRows(knob, "After a step", "projection", on("regularizer"))
        self._rows = (self.penalties, self.views, self.projections)
        self.others = W.HTML()
        self.steps = knob(W.BoundedIntText, "Steps", on("steps"), min=0, max=MOST_STEPS)
        self.learning_rate = LogKnob(knob, "Learning rate", on("learning_rate"))
        self.schedule = knob(W.Dropdown, "Schedule", on("schedule"), options=SCHEDULES)
        self.optimizer = knob(W.Dropdown, "Optimizer", on("optimizer"), options=list(OPTIMIZERS))
        self.basis = knob(W.Dropdown, "Image in", on("basis"), options=list(BASES))
        self.start = knob(W.Dropdown, "Start from", on("start"), options=[*STARTS, "photo"])
        self.objective = knob(W.Dropdown, "Maximise", on("objective"), options=OBJECTIVES)
        self.seed = field(W.IntText, "Seed")
        self.optimizer_note, self.basis_note, self.photo = W.HTML(), W.HTML(), PhotoPicker(field)
        # No accordion: the keyboard does not open ipywidgets'. The style sheet unfolds what follows on the button.
        more = field(W.ToggleButton, "More knobs", icon="caret-right")
        knobs = [self.penalties, self.views, self.projections, self.learning_rate, self.schedule, self.optimizer]
        knobs += [self.optimizer_note, self.basis, self.basis_note, self.start, self.photo, self.seed, self.objective]
        shown = [self.network, self.other, self.look, self.picker, self.preset, self.penalties.rows[0], self.others]
        super().__init__([*shown, self.steps, more, W.VBox(knobs).add_class("vizkit-folded")])
        self.add_class("vizkit-controls")

    def show_network(self, net: Classifier) -> None:
        """A network on the list, or the layer of it whose units are the classes."""
        whole = net.whole or net
        if whole.name not in self.network.options:
            self.network.options = [whole.name, *self.network.options]
        self.network.value = whole.name
        layers = [(f"layer {name}, {count} units", name) for name, count in whole.layers().items()]
        self.look.options = [(CLASSES, ""), *layers]
        self.look.value = net.layer

    def settings(self) -> Settings:
        """What the knobs say; where the start is "photo", `photo` has it."""
        chosen = {name: getattr(self, name).value for name in VALUES} | {"basis": self._basis}
        return Settings(**chosen, regularizer=self.regularizer(), optimizer_options=self._optimizer_options)

    def regularizer(self) -> Regularizer:
        """In the order in which they act."""
        return sum((rows.regularizer() for rows in self._rows), none())

    def set(self, settings: Settings) -> None:
        """Sets every knob; a start that is no name is a photo. Raises `VizkitError` for what they cannot show."""
        name, start, basis = getattr(settings, "name", ""), settings.start, settings.basis
        preset = name if settings is recipes().get(name) or settings is WITHOUT.get(name) else NO_PRESET
        if settings.regularizer.batch > 1:
            raise VizkitError("The knobs show one regularizer for all images. Use vizkit.ascend(...).")
        if settings.optimizer not in list(OPTIMIZERS) or type(basis) not in BASES.values():
            raise VizkitError(f"The knobs cannot show {settings.optimizer!r} or {basis!r}. Use vizkit.ascend(...).")
        if not isinstance(start, str) or start not in self.start.options:
            self.photo.keep(start)
            start = "photo"
        values = vars(settings) | {"start": start, "basis": basis.name, "preset": preset}
        with self._setting():
            self._basis, self._optimizer_options = basis, settings.optimizer_options
            for rows in self._rows:
                rows.set(settings.regularizer)
            self._name_preset(name if preset == NO_PRESET else "")
            for one in ("preset", *VALUES):
                getattr(self, one).value = values[one]
            self.basis_note.value = small_print(vars(basis))
            self.optimizer_note.value = small_print(self._optimizer_options)
            self._show_others()
            self._preset = name, None if preset == NO_PRESET else self.settings()

    def hold(self, running: bool, target: int) -> None:
        """What cannot act in a run is out of reach while one is going, of the class `target`. Another class may be
        chosen, and is said to wait; so may a start and a seed: they are plainly of the next."""
        waits = running and self.picker.target != target
        if waits or self.picker.guess.value == WAITS:
            self.picker.guess.value = WAITS if waits else ""
        for knob in (self.network, self.other, self.look, self.preset, self.schedule, self.optimizer, self.basis):
            knob.disabled = running
            knob.tooltip = "This cannot act in a run: stop it first" if running else HELP[knob.description]

    @contextmanager
    def _setting(self) -> Iterator[None]:
        """While the program sets knobs; a person who turns one meanwhile, in another thread, comes after."""
        with self._lock:
            before, self._sets = self._sets, True
            try:
                yield
            finally:
                self._sets = before

    def _told(self, change: Any, then: Callable[[], None]) -> None:
        """What follows from a change; a person's waits for what is being set, and outlasts it."""
        with self._lock:
            if not self._sets and change["owner"].value != change["new"]:
                with self._setting():
                    change["owner"].value = change["new"]
            then()

    def _on_knob(self, name: str) -> None:
        """What a person has turned is no longer the preset, until it is turned back; a live setting is told of."""
        if name == "start":
            self.photo.layout.display = "" if self.start.value == "photo" else "none"
        if self._sets:
            return
        preset, as_set = self._preset
        if name in ("optimizer", "basis"):  # another one brings what belongs to it
            self.set(self.settings().but(**{name: getattr(self, name).value}))
        self._preset, turned_back = (preset, as_set), self.settings() == as_set
        with self._setting():
            self._name_preset("" if turned_back else preset)
            self.preset.value = preset if turned_back else NO_PRESET
        for rows in self._rows:
            rows.show()
        self._show_others()
        if name in LIVE:
            self._turned(name)

    def _on_preset(self) -> None:
        if not self._sets and self.preset.value != NO_PRESET:
            self.set(as_recipe(self.preset.value, self.picker.net))

    def _name_preset(self, name: str) -> None:
        """What is no preset is a preset that was changed, of that name, which stands below it."""
        named = f"{name}, changed" if name in recipes() else NO_PRESET
        if self.preset.options[0][0] != named:
            self.preset.options = [(named, NO_PRESET), *((one, one) for one in recipes())]

    def _show_others(self) -> None:
        """In words, what acts beside the regularizer in front."""
        others = [*self.penalties.regularizer().parts[self.penalties.rows[0].kind.value != "none" :]]
        said = {"Held to": others, "Shown": self.views.regularizer().parts}
        said["After each step"] = self.projections.regularizer().parts
        sentences = (f"{place}: {'; '.join(map(in_words, parts))}." for place, parts in said.items() if parts)
        self.others.value = indented(" ".join(sentences))
