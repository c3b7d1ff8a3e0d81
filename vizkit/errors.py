"""The one kind of error that vizkit raises on purpose, the commonest reason for it, and its warnings."""

import sys
import warnings
from collections.abc import Collection
from typing import Any


class VizkitError(ValueError):
    """Something asked of vizkit cannot be done; the message says what was expected and what to try next."""


class Diverged(VizkitError):
    """An ascent met a number that is not finite; it keeps its last good image and can go on once a knob is turned."""


def check_name(kind: str, name: Any, known: Collection[str]) -> None:
    """Raises `VizkitError`, with the names, where `name` is none of those that are known."""
    if not isinstance(name, str) or name not in known:
        raise VizkitError(f'No {kind} "{name}". Known: {", ".join(known) or "none"}.')


def warn(doubt: str) -> None:
    """Warns of what a person has to judge, at the line of theirs that led to it."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in ("vizkit", "contextlib"):
        frame, level = frame.f_back, level + 1
    warnings.warn(doubt, stacklevel=level)
