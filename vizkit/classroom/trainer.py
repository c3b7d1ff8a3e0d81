"""Trainer: watch a small CNN learn, and stop it when it has learned enough."""

import time

from ..figures import live_figure, png
from ..widgets.panel import CURVE_EVERY, JobPanel
from ..widgets.parts import Picture
from .lessons import draw_training_curves
from .training import Training


class Trainer(JobPanel):
    """
    >>> data = vizkit.datasets.shapes(train=256, test=64)
    >>> trainer = vizkit.Trainer(vizkit.Training(vizkit.small_cnn(3, 8, size=64), data, epochs=1))
    >>> trainer.run().step
    4

    A training, live: loss and accuracy as they go. Last line of a cell, it shows itself; Start begins, Pause and Stop
    hold it, and Start goes on from there. `run()` makes all the steps that are left in the cell that calls it, live,
    too, and returns the training; there the kernel's interrupt (■) raises `KeyboardInterrupt`. What has been learned is
    kept.
    """

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.training = training
        self._begun, self._curve_drawn = 0, 0.0
        self.start.tooltip = "Train, or go on with it"
        self.curve, self._figure = Picture().add_class("vizkit-training"), live_figure(columns=2)
        self._arrange([self.curve], [self.message])

    def _begin(self) -> Training:
        self._begun = self.training.step
        self._say("")
        return self.training

    def _render(self) -> None:
        super()._render()
        training = self.training
        self.start.disabled = self.loop.busy or training.step >= training.steps
        self.start.description = "Go on" if 0 < training.step < training.steps else "Start"
        self._show_progress(training.step, training.steps, str(training.device), self._begun)
        now = time.perf_counter()
        if now - self._curve_drawn > CURVE_EVERY or not self.loop.busy:
            self._curve_drawn = now
            draw_training_curves(self._figure.axes, training)
            self.curve.show(("png", png(self._figure)), self._words())

    def _words(self) -> str:
        checked = f", {self.training.checks[-1][1]:.1%} of unseen pictures right" if self.training.checks else ""
        return f"training curves: step {self.training.step} of {self.training.steps}{checked}"
