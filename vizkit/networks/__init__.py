"""A trained CNN with all it takes to talk to it: made of your module, or loaded by its name."""

from .activations import Activations, watched
from .checkpoints import load_weights, read
from .classifier import Classifier, as_device, resized
from .libraries import IMAGENET
from .loading import as_classifier, downloaded, load, networks, small_network
from .small_cnn import small_cnn

__all__ = ["IMAGENET", "Activations", "Classifier", "as_classifier", "as_device", "downloaded", "load", "load_weights"]
__all__ += ["networks", "read", "resized", "small_cnn", "small_network", "watched"]
