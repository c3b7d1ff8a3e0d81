"""The one kind of error that vizkit raises on purpose, and its warnings."""

import sys
import warnings


class VizkitError(ValueError):
    """Something asked of vizkit cannot be done; the message says what was expected and what to try next."""


class Diverged(VizkitError):
    """An ascent met a number that is not finite; it keeps its last good image and can go on once a knob is turned."""


def warn(doubt: str) -> None:
    """Warns of what a person has to judge, at the line of theirs that led to it."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in ("vizkit", "contextlib"):
        frame, level = frame.f_back, level + 1
    warnings.warn(doubt, stacklevel=level)
