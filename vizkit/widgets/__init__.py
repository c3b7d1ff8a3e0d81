"""All of vizkit with knobs: widgets for JupyterLab, notebooks and Google Colab."""

from .compare import Compare
from .explorer import Explorer
from .gallery import Gallery

__all__ = ["Compare", "Explorer", "Gallery"]
