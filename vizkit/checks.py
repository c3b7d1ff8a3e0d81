"""What a plain value is, where it matters that it is one: a whole number, a finite one."""

import math
import numbers
from typing import Any


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
