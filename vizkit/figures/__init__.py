"""What there is to see, as figures and files: loaded when it is first asked for, since matplotlib takes a moment."""

from ..ascent import Ascent
from .curves import Line, png, reach, score_curve, score_lines, turned
from .strips import film_strip, gif, grid

save = Ascent.save  # its first address

__all__ = ["Line", "film_strip", "gif", "grid", "png", "reach", "save", "score_curve", "score_lines", "turned"]
