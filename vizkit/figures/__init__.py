"""What there is to see, as figures and files: loaded when it is first asked for, since matplotlib takes a moment."""

from ..ascent import Ascent
from .curves import draw_score_curve, live_figure, png, score_curve, turned
from .strips import film_strip, gif, grid

save = Ascent.save  # its first address

__all__ = ["draw_score_curve", "film_strip", "gif", "grid", "live_figure", "png", "save", "score_curve", "turned"]
