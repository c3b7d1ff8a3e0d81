"""What there is to see, as figures and files: loaded when it is first asked for, since matplotlib takes a moment."""

from ..ascent import Ascent
from .curves import Line, reach, score_curve, score_lines, turned
from .strips import film_strip, gif, grid

save = Ascent.save  # its first address

__all__ = ["Line", "film_strip", "gif", "grid", "reach", "save", "score_curve", "score_lines", "turned"]
