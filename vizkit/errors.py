"""The one kind of error that vizkit raises on purpose, its warnings, and what is asked of names and plain values."""

import math
import numbers
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


def is_whole(value: Any) -> bool:
    """Whether it is an integer, of Python or numpy, and no truth value."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_finite(value: Any) -> bool:
    """Whether it is a number that a tensor can hold, and no truth value."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and bool(abs(value) <= 1e38)  # type: ignore[operator]


def is_like(value: Any, usual: Any) -> bool:
    """Whether a value may stand where `usual` is the default: a number for a number, text for text. Where the default
    is neither, anything may."""
    if isinstance(usual, (bool, str)):
        return isinstance(value, type(usual))
    return is_finite(value) if isinstance(usual, (int, float)) and math.isfinite(usual) else True
