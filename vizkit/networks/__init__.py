"""A trained CNN with all it takes to talk to it: made of your module, or loaded by its name."""

from .builtin import small_cnn
from .checkpoints import load_weights
from .classifier import Classifier, as_classifier, default_device, load, networks, small_network

__all__ = [
    "Classifier",
    "as_classifier",
    "default_device",
    "load",
    "load_weights",
    "networks",
    "small_cnn",
    "small_network",
]
