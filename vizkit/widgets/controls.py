"""The left-hand side of the widgets: what a person chooses, as settings, a class and a seed."""

import io
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from itertools import zip_longest
from pathlib import Path
from threading import RLock, get_ident
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
NO_PRESET = "–"
# The settings that are one value of one control; the start comes last, as it is shown when all else is set.
VALUES = ("learning_rate", "steps", "schedule", "optimizer", "basis", "objective", "start")
Field = Callable[..., Any]
Told = Callable[[Any, Callable[[], None]], None]  # what changed, and what follows from it


class LogKnob(W.VBox):
    """A slider over round numbers, evenly spaced on a log scale: 1, 1.5, 2, 3, 5, 7, 10, …"""

    slider: Any = None  # before there is something to set: most rows never need theirs
    range: tuple[float, float] = (1e-4, 1000.0)

    def __init__(self, field: Field, label: str, told: Told, changed: Callable[[], None]) -> None:
        super().__init__()
        self._field, self._label, self._told, self._changed = field, label, told, changed

    @property
    def value(self) -> float:
        return float(self.slider.value)

    @value.setter
    def value(self, value: float) -> None:
        """Any value, between the round ones if need be."""
        options = _round_numbers(*self.range, value)
        old = self.slider
        if old and list(old.options) == options:
            old.value = value
            return
        # A new slider: the browser's loses its place when the options of an old one change.
        self.slider = self._field(W.SelectionSlider, self._label, options=options, value=value)
        self.slider.observe(lambda change: self._told(change, self._changed), "value")
        self.children = (self.slider,)
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

    def __init__(self, field: Field, label: str, place: Place, told: Told, changed: Callable[[], None]) -> None:
        kinds = [name for name, kind in catalogue().items() if kind.place == place]
        self.kind = field(W.Dropdown, label, options=["none", *kinds])
        self.strength = LogKnob(field, "strength", told, changed)
        self.note: Any = None  # before there is something to say: each widget is a channel to the page
        self._changed = changed
        super().__init__([self.kind, self.strength])
        self._show({})
        self.kind.observe(lambda change: told(change, self._on_kind), "value")

    def regularizer(self) -> Regularizer:
        kind = catalogue().get(self.kind.value)
        return kind(self.strength.value if kind.strengths else None, **self._options) if kind else none()

    def set(self, part: Part | None) -> None:
        self.kind.value = part.kind.name if part else "none"
        self._show(part.options if part else {})
        if part and part.kind.strengths:
            self.strength.value = part.strength

    def _on_kind(self) -> None:
        self._show({})
        self._changed()

    def _show(self, options: dict[str, Any]) -> None:
        kind, self._options = catalogue().get(self.kind.value), options
        if options and not self.note:
            self.note = W.HTML()
            self.children = (self.kind, self.strength, self.note)
        if self.note:
            self.note.value = small_print(options)
        self.strength.layout.display = "" if kind and kind.strengths else "none"
        if kind and kind.strengths:
            self.strength.range, self.strength.value = kind.strengths, kind.default


class RegularizerRows(W.VBox):
    """The regularizers of one place in a step: as many as are in use, and room for one more. `front` of them stand
    elsewhere."""

    def __init__(self, make: Callable[[str], RegularizerRow], label: str, front: int = 0) -> None:
        super().__init__()
        self._make, self._front, self.rows = make, front, [make(label)]

    def regularizer(self) -> Regularizer:
        return sum((row.regularizer() for row in self.rows), none())

    def set(self, parts: Sequence[Part | None]) -> None:
        while len(self.rows) < len(parts):
            self.rows.append(self._make("and"))
        for row, part in zip_longest(self.rows, parts):
            row.set(part)
        self.show()

    def show(self) -> None:
        used = [index for index, row in enumerate(self.rows) if row.kind.value != "none"]
        room = max([*used, -1]) + 2
        while len(self.rows) < room:
            self.rows.append(self._make("and"))
        for index, row in enumerate(self.rows):
            row.layout.display = "" if index < room else "none"
        self.children = self.rows[self._front :]


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
        self._turned, self._setter, self._basis = turned, 0, as_basis("pixels")
        self._optimizer_options: dict[str, Any] = {}
        self._preset: tuple[str, Settings | None] = "", None  # its name, and what it has set
        self._lock = RLock()  # a person's clicks come in threads of their own
        self.network = field(W.Dropdown, "Network", options=list(dict.fromkeys([net.name, *networks()])))
        self.picker = ClassPicker(field, net, target)
        self.preset = field(W.Dropdown, "Preset", options=[(name, name) for name in (NO_PRESET, *recipes())])

        def rows(place: Place, label: str, front: int = 0) -> RegularizerRows:
            def row(name: str) -> RegularizerRow:
                return RegularizerRow(field, name, place, self._told, lambda: self._on_knob("regularizer"))

            return RegularizerRows(row, label, front)

        self.penalties, self.views = rows("penalty", "Regularizer", front=1), rows("view", "Shown")
        self.projections = rows("projection", "After a step")
        self._rows = {"penalty": self.penalties, "view": self.views, "projection": self.projections}
        self.others = W.HTML()
        self.steps = field(W.BoundedIntText, "Steps", min=0, max=MOST_STEPS)
        self.learning_rate = LogKnob(field, "Learning rate", self._told, lambda: self._on_knob("learning_rate"))
        self.schedule = field(W.Dropdown, "Schedule", options=SCHEDULES)
        self.optimizer = field(W.Dropdown, "Optimizer", options=list(OPTIMIZERS))
        self.basis = field(W.Dropdown, "Image in", options=list(BASES))
        self.start = field(W.Dropdown, "Start from", options=[*STARTS, "photo"])
        self.objective = field(W.Dropdown, "Maximise", options=OBJECTIVES)
        self.seed = field(W.IntText, "Seed")
        self.optimizer_note, self.basis_note, self.photo = W.HTML(), W.HTML(), PhotoPicker(field)
        # No accordion: the keyboard does not open ipywidgets'. The style sheet unfolds what follows on the button.
        more = field(W.ToggleButton, "More knobs", icon="caret-right")
        knobs = [self.penalties, self.views, self.projections, self.learning_rate, self.schedule, self.optimizer]
        knobs += [self.optimizer_note, self.basis, self.basis_note, self.start, self.photo, self.seed, self.objective]
        for name in VALUES[1:]:
            knob = getattr(self, name)
            knob.observe(lambda change, name=name: self._told(change, lambda: self._on_knob(name)), "value")
        self.preset.observe(lambda change: self._told(change, self._on_preset), "value")
        shown = [self.network, self.picker, self.preset, self.penalties.rows[0], self.others, self.steps, more]
        super().__init__([*shown, W.VBox(knobs).add_class("vizkit-folded")])
        self.add_class("vizkit-controls")

    def settings(self) -> Settings:
        """What the knobs say; where the start is "photo", `photo` has it."""
        chosen = {name: getattr(self, name).value for name in VALUES} | {"basis": self._basis}
        return Settings(**chosen, regularizer=self.regularizer(), optimizer_options=self._optimizer_options)

    def regularizer(self) -> Regularizer:
        """In the order in which they act."""
        return self.penalties.regularizer() + self.views.regularizer() + self.projections.regularizer()

    def set(self, settings: Settings) -> None:
        """Sets every knob; a start that is no name is a photo. Raises `VizkitError` for what they cannot show."""
        presets = [*recipes().items(), *WITHOUT.items()]
        preset = next((name for name, one in presets if one is settings), NO_PRESET)
        start, basis = settings.start, settings.basis
        at: dict[str, list[Part | None]] = {place: [] for place in self._rows}
        for part in settings.regularizer.parts:
            at[part.kind.place].append(part)
        if settings.regularizer.batch > 1:
            raise VizkitError("The knobs show one regularizer for all images. Use vizkit.ascend(...).")
        if settings.optimizer not in list(OPTIMIZERS) or type(basis) not in BASES.values():
            raise VizkitError(f"The knobs cannot show {settings.optimizer!r} or {basis!r}. Use vizkit.ascend(...).")
        if not isinstance(start, str) or start not in self.start.options:
            self.photo.keep(start)
            start = "photo"
        values = vars(settings) | {"start": start, "basis": basis.name, "preset": preset}
        first = next(iter(at["penalty"]), None)
        if first and "activations" in first.kind.asks:  # it goes with the preset: the front stays free
            at["penalty"].insert(0, None)
        with self._setting():
            self._basis, self._optimizer_options = basis, settings.optimizer_options
            for place, rows in self._rows.items():
                rows.set(at[place])
            self._preset = getattr(settings, "name", ""), None
            self._name_preset(self._preset[0] if preset == NO_PRESET else "")
            for name in ("preset", *VALUES):
                getattr(self, name).value = values[name]
            self.basis_note.value = small_print(vars(basis))
            self.optimizer_note.value = small_print(self._optimizer_options)
            self._show_others()
            if preset != NO_PRESET:
                self._preset = preset, self.settings()

    def hold(self, running: bool, target: int) -> None:
        """What cannot act in a run is out of reach while one is going, of the class `target`. Another class may be
        chosen, and is said to wait; so may a start and a seed: they are plainly of the next."""
        if running and self.picker.target != target:
            self.picker.guess.value = WAITS
        elif self.picker.guess.value == WAITS:
            self.picker.guess.value = ""
        for knob in (self.network, self.preset, self.schedule, self.optimizer, self.basis):
            knob.disabled = running
            knob.tooltip = "This cannot act in a run: stop it first" if running else HELP[knob.description]

    @contextmanager
    def _setting(self) -> Iterator[None]:
        """While the program sets knobs; a person who turns one meanwhile, in another thread, comes after."""
        with self._lock:
            before, self._setter = self._setter, get_ident()
            try:
                yield
            finally:
                self._setter = before

    def _told(self, change: Any, then: Callable[[], None]) -> None:
        """What follows from a change; a person's waits for what is being set, and outlasts it."""
        if self._setter == get_ident():
            then()
            return
        with self._lock:
            if change["owner"].value != change["new"]:
                with self._setting():
                    change["owner"].value = change["new"]
            then()

    def _on_knob(self, name: str) -> None:
        """What a person has turned is no longer the preset, until it is turned back; a live setting is told of."""
        if name == "start":
            self.photo.layout.display = "" if self.start.value == "photo" else "none"
        if self._setter == get_ident():
            return
        preset, as_set = self._preset
        if name in ("optimizer", "basis"):  # another one brings what belongs to it
            self.set(self.settings().but(**{name: getattr(self, name).value}))
        self._preset, turned_back = (preset, as_set), self.settings() == as_set
        with self._setting():
            self._name_preset("" if turned_back else preset)
            self.preset.value = preset if turned_back else NO_PRESET
        for rows in self._rows.values():
            rows.show()
        self._show_others()
        if name in LIVE:
            self._turned(name)

    def _on_preset(self) -> None:
        if self._setter != get_ident() and self.preset.value != NO_PRESET:
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
