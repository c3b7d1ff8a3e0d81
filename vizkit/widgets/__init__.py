"""All of vizkit with knobs: widgets for JupyterLab, notebooks and Google Colab."""

from .compare import Compare
from .explorer import Explorer
from .gallery import Gallery
from .trainer import Trainer

__all__ = ["Compare", "Explorer", "Gallery", "Trainer"]
