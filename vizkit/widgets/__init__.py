"""All of vizkit with knobs: widgets for JupyterLab, notebooks and Google Colab."""

from .explorer import Explorer
from .grids import AtlasMaker, Compare, Gallery

__all__ = ["AtlasMaker", "Compare", "Explorer", "Gallery"]
