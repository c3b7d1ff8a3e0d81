"""All of vizkit with knobs: widgets for JupyterLab, notebooks and Google Colab."""

from .explorer import Explorer

__all__ = ["Explorer"]
