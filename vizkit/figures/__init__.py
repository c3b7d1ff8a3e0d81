"""What there is to see, as figures and files: loaded when it is first asked for, since matplotlib takes a moment."""

from ..ascent import Ascent
from .curves import COLOURS, GREY, NotebookFigure, draw_score_curve, live_figure, plain_axes, png, score_curve
from .strips import film_strip, gif, grid

save = Ascent.save  # its first address

__all__ = ["COLOURS", "GREY", "NotebookFigure", "draw_score_curve", "film_strip", "gif", "grid", "live_figure"]
__all__ += ["plain_axes", "png", "save", "score_curve"]
