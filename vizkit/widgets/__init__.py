"""All of vizkit with knobs: widgets for JupyterLab, notebooks and Google Colab."""

from .explorer import Explorer
from .grids import Compare, Gallery

__all__ = ["Compare", "Explorer", "Gallery"]
