"""All of vizkit with knobs: widgets for JupyterLab, notebooks and Google Colab."""

from .atlas_maker import AtlasMaker
from .explorer import Explorer
from .grids import Compare, Gallery

__all__ = ["AtlasMaker", "Compare", "Explorer", "Gallery"]
