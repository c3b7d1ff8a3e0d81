"""A trained CNN with all it takes to talk to it: made of your module, or loaded by its name."""

from .activations import Activations, watched
from .checkpoints import load_weights, read
from .classifier import Classifier, as_device, resized
from .loading import as_classifier, downloaded, load, networks, small_network
from .small_cnn import small_cnn

__all__ = ["Activations", "Classifier", "as_classifier", "as_device", "downloaded", "load", "load_weights", "networks"]
__all__ += ["read", "resized", "small_cnn", "small_network", "watched"]
