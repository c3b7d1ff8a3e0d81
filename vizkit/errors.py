"""The one kind of error that vizkit raises on purpose."""


class VizkitError(ValueError):
    """Something asked of vizkit cannot be done; the message says what was expected and what to try next."""


class Diverged(VizkitError):
    """An ascent met a number that is not finite; it keeps its last good image and can go on once a knob is turned."""
