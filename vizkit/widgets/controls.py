"""The left-hand side of the widgets: what a person chooses, as a recipe, a class and a seed."""

import math
from collections.abc import Callable
from dataclasses import replace
from html import escape
from typing import Any

import ipywidgets as W

from ..bases import BASES, STARTS, as_basis
from ..errors import VizkitError
from ..networks import Classifier, networks
from ..recipes import Recipe, recipes
from ..regularization import Regularizer, none
from ..regularizers import catalogue
from ..settings import OBJECTIVES, OPTIMIZERS, SCHEDULES
from .parts import field, wide
from .photo import PhotoPicker

ROWS = 6  # how many regularizers can be added up


class LogKnob(W.VBox):
    """A slider over round numbers, evenly spaced on a log scale: 1, 1.5, 2, 3, 5, 7, 10, …"""

    def __init__(self, label: str, low: float, high: float, changed: Callable[[], None]) -> None:
        super().__init__()  # without a slider, before there is something to set: most rows never need theirs
        self._label, self._range, self._changed = label, (low, high), changed

    @property
    def value(self) -> float:
        return float(self.children[0].value)

    def set(self, value: float, low: float | None = None, high: float | None = None) -> None:
        """Any value, between the round ones if need be; a new range where one is given."""
        if low is not None and high is not None:
            self._range = (low, high)
        options = _round_numbers(*self._range, value)
        old: list[Any] = list(getattr(self, "children", ()))
        if old and list(old[0].options) == options:
            old[0].value = value
            return
        # A new slider: the browser's loses its place when the options of an old one change.
        slider = field(W.SelectionSlider, self._label, options=options, value=value)
        slider.observe(lambda _: self._changed(), "value")
        self.children = (slider,)
        for widget in old:
            widget.style.close()
            widget.close()


def _round_numbers(low: float, high: float, value: float) -> list[tuple[str, float]]:
    least = low or high * 1e-4  # a log scale never reaches zero: it is one more number at the end
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(high)) + 1)
    numbers = {float(f"{digit}e{power}") for power in powers for digit in (1, 1.5, 2, 3, 5, 7)}
    chosen = {number for number in numbers if low <= number <= high} | {low, high, value}
    return [(f"{number:g}", number) for number in sorted(chosen)]


def small_print(options: dict[str, Any]) -> str:
    """Options, under the control they belong to; those that are off are left out."""
    text = ", ".join(f"{name} {value}" for name, value in options.items() if value not in (None, False))
    return f"<div class='vizkit-note vizkit-indented'>{escape(text)}</div>"


class RegularizerRow(W.VBox):
    """One regularizer: its type, its strength, and those of its options that are not the usual ones."""

    def __init__(self, label: str, changed: Callable[[], None]) -> None:
        self.kind = field(W.Dropdown, label, options=["none", *catalogue()])
        self.strength = LogKnob("strength", 1e-6, 1, changed)
        self.note = W.HTML()
        self._options: dict[str, Any] = {}
        self._changed = changed
        self.kind.observe(self._on_kind, "value")
        super().__init__([self.kind, self.strength, self.note])
        self._show_slider()

    def regularizer(self) -> Regularizer:
        if self.kind.value == "none":
            return none()
        kind = catalogue()[self.kind.value]
        return kind(self.strength.value if kind.strengths else None, **self._options)

    def set(self, regularizer: Regularizer) -> None:
        """Shows a regularizer of one part, or none."""
        part = regularizer.parts[0] if regularizer.parts else None
        self.kind.value = part.kind.name if part else "none"
        self._options = dict(part.options) if part else {}
        self._show_slider()
        if part and part.kind.strengths:
            first = part.strength[0] if isinstance(part.strength, tuple) else part.strength
            self.strength.set(first)

    def _on_kind(self, _change: Any) -> None:
        self._options = {}
        self._show_slider()
        self._changed()

    def _show_slider(self) -> None:
        kind = catalogue().get(self.kind.value)
        strengths = kind.strengths if kind else None
        self.strength.layout.display = "" if strengths else "none"
        self.note.value = small_print(self._options)
        self.note.layout.display = "" if self._options else "none"
        if kind and strengths:
            self.strength.set(kind.default, *strengths)


class ClassPicker(W.VBox):
    """A class by typing: the list shows the labels that fit."""

    def __init__(self) -> None:
        self.query = field(W.Text, "Find a class", placeholder="for example flam", continuous_update=True)
        self.choice = field(W.Select, "Class", rows=7)
        self._net: Classifier | None = None
        self.query.observe(lambda _: self._filter(), "value")
        super().__init__([self.query, self.choice])

    def show(self, net: Classifier, target: int = 0) -> None:
        """The classes of `net`, with one chosen."""
        self._net = net
        self.query.value = ""
        self._filter()
        self.choice.value = target

    @property
    def target(self) -> int:
        """The index of the chosen class."""
        return int(self.choice.value or 0)

    @property
    def label(self) -> str:
        """The label of the chosen class; empty before there is one."""
        return self._net.labels[self.target] if self._net else ""

    def _filter(self) -> None:
        net, chosen = self._net, self.choice.value
        if net is None:
            return
        found = net.find(self.query.value) if self.query.value.strip() else dict(enumerate(net.labels))
        twice = {label for label in found.values() if net.labels.count(label) > 1}
        options = [(f"{label} ({index})" if label in twice else label, index) for index, label in found.items()]
        if not options:
            return  # keep the list as it was: an empty one could choose nothing
        # First no choice, then the list, then the choice: the browser marks it only if it has changed.
        self.choice.index = None
        self.choice.options = options
        self.choice.index = list(found).index(chosen) if chosen in found and not self.query.value.strip() else 0


class Controls(W.VBox):
    """Everything a person can choose. `changed` is called when a knob is turned that acts on the next step."""

    def __init__(self, net: Classifier, changed: Callable[[], None]) -> None:
        self._changed, self._quiet = changed, False
        own = [net.name] if net.name not in networks() else []
        self.network = field(W.Dropdown, "Network", options=own + networks(), value=net.name)
        self.picker = ClassPicker()
        self.preset = field(W.Dropdown, "Preset", options=["–", *recipes()])
        self.rows = [
            RegularizerRow("Regularizer" if row == 0 else f"and {row + 1}", self._on_knob) for row in range(ROWS)
        ]
        self.steps = field(W.BoundedIntText, "Steps", value=200, min=1, max=100_000)
        self.learning_rate = LogKnob("Learning rate", 1e-4, 1000, self._on_knob)
        self.learning_rate.set(1.0)
        self.optimizer = field(W.Dropdown, "Optimizer", options=list(OPTIMIZERS))
        self.basis = field(W.Dropdown, "Image in", options=list(BASES))
        self.basis_note = W.HTML()
        self.start = field(W.Dropdown, "Start from", options=[*STARTS, "photo"])
        self.photo = PhotoPicker()
        self.seed = field(W.BoundedIntText, "Seed", value=0, min=0, max=2**31 - 1)
        self.objective = field(W.Dropdown, "Maximise", options=list(OBJECTIVES))
        self.schedule = field(W.Dropdown, "Schedule", options=list(SCHEDULES))
        self.optimizer_note = W.HTML()
        self._basis, self._optimizer_options = as_basis("pixels"), dict[str, Any]()
        more = [
            self.learning_rate,
            self.schedule,
            self.optimizer,
            self.optimizer_note,
            self.basis,
            self.basis_note,
            self.start,
            self.photo,
            self.seed,
            self.objective,
        ]
        # No accordion: the keyboard does not open ipywidgets'.
        self.more = W.ToggleButton(description="More knobs", icon="caret-right", layout=wide())
        self.folded = W.VBox([*more, *self.rows[1:]], layout=W.Layout(display="none"))
        for knob in (self.steps, self.objective):
            knob.observe(lambda _: self._on_knob(), "value")
        self.preset.observe(lambda _: self._on_preset(), "value")
        self.basis.observe(lambda _: self._on_basis(as_basis(self.basis.value)), "value")
        self.start.observe(lambda _: self.photo.appear(self.start.value == "photo"), "value")
        self.more.observe(lambda _: self._on_more(), "value")
        self.optimizer.observe(lambda _: self._on_optimizer(), "value")
        super().__init__([self.network, self.picker, self.preset, self.rows[0], self.steps, self.more, self.folded])

    def start_image(self, net: Classifier) -> Any:
        """Where the next ascent on `net` starts. Raises `VizkitError` where it is a photo that is not there yet."""
        return self.photo.image(net) if self.start.value == "photo" else self.start.value

    def recipe(self) -> Recipe:
        """What the knobs say; the start "photo" is `start_image`'s to make."""
        return Recipe(
            regularizer=self.regularizer(),
            steps=self.steps.value,
            optimizer=self.optimizer.value,
            optimizer_options=self._optimizer_options,
            schedule=self.schedule.value,
            learning_rate=self.learning_rate.value,
            start=self.start.value,
            objective=self.objective.value,
            basis=self._basis,
        )

    def regularizer(self) -> Regularizer:
        return sum((row.regularizer() for row in self.rows), none())

    def set(self, recipe: Recipe) -> None:
        """Sets every knob to what the recipe says; a start that is no name is a photo."""
        parts = [Regularizer((part,)) for part in recipe.regularizer.parts]
        if len(parts) > ROWS or recipe.regularizer.batch > 1:
            raise VizkitError(
                f"The knobs show up to {ROWS} regularizers, one strength each. For more: vizkit.ascend(...)."
            )
        if not isinstance(recipe.start, str) or recipe.start not in self.start.options:
            self.photo.keep(recipe.start)
            recipe = replace(recipe, start="photo")
        self._quiet = True
        for row, part in zip(self.rows, parts + [none()] * (ROWS - len(parts)), strict=True):
            row.set(part)
        for knob in ("steps", "optimizer", "schedule", "start", "objective"):
            getattr(self, knob).value = getattr(recipe, knob)
        self.learning_rate.set(recipe.learning_rate)
        self.basis.value = recipe.basis.name
        self._on_basis(recipe.basis)
        self._show_optimizer_options(recipe.optimizer_options)
        self._show_rows()
        self._quiet = False
        self._changed()

    def _on_knob(self) -> None:
        if not self._quiet:
            self._show_rows()
            self._changed()

    def _on_more(self) -> None:
        self.more.icon = "caret-down" if self.more.value else "caret-right"
        self.folded.layout.display = "" if self.more.value else "none"

    def _show_rows(self) -> None:
        """As many regularizers as are in use, and room for one more."""
        used = max((index for index, row in enumerate(self.rows) if row.kind.value != "none"), default=0)
        for index, row in enumerate(self.rows):
            row.layout.display = "" if index <= used + 1 else "none"

    def _show_optimizer_options(self, options: dict[str, Any]) -> None:
        self._optimizer_options = options
        self.optimizer_note.value = small_print(options)

    def _on_preset(self) -> None:
        if self.preset.value in recipes():
            self.set(recipes()[self.preset.value])

    def _on_basis(self, basis: Any) -> None:
        self._basis = basis
        self.basis_note.value = small_print(vars(basis))

    def _on_optimizer(self) -> None:
        if not self._quiet:
            self._show_optimizer_options({})
            self.learning_rate.set(OPTIMIZERS[self.optimizer.value][2])
