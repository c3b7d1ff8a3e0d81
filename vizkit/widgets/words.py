"""What the widgets say: a sentence for each knob, and regularizers as a person would name them."""

from html import escape
from typing import Any

from ..regularization import Part

# What each knob does, by its label: what a page shows where the mouse rests on it.
HELP = {
    "Network": "The trained CNN that scores the image",
    "Its name": "A network of timm or Hugging Face, such as timm/convnext_tiny.fb_in1k; Enter loads it",
    "Look at": "The classes, or the units of a layer on the way to them",
    "Find a class": "Type a part of a name: the list shows the classes that fit",
    "Class": "The class whose score is to rise; another one waits for the next Start",
    "Preset": "A complete set of knobs: ours, or that of a paper",
    "Regularizer": "What is subtracted from the score to keep the image from extreme values; acts on the next step. "
    "One of your own is here if its cell ran before this one",
    "strength": "How much of it; acts on the next step",
    "and": "One more of this kind; acts on the next step",
    "Shown": "What the network is shown of the image in a step; acts on the next step",
    "After a step": "What is done to the image after each step; acts on the next step",
    "Steps": "How many steps from the start; a knob that is turned on the way gives the run as many again",
    "More knobs": "Everything else that can be set",
    "Learning rate": "How far a step goes; acts on the next step",
    "Schedule": "The learning rate is constant, fades to a fifth by the last step, or is the rise that a step aims at",
    "Optimizer": "How a gradient becomes a step",
    "Image in": "What moves in a step: the pixels, or the frequencies of the picture",
    "Start from": "The image before the first step",
    "Choose a photo": "A picture file to start from",
    "Seed": "Of all chance: the same seed makes the same picture",
    "Maximise": "What is to rise: the class score, or, to compare, the probability or its logarithm",
    "Timeline": "The picture as it was at an earlier step",
}

# What a regularizer does to a picture, in the words of somebody who sees it for the first time.
WORDS = {
    "natural_statistics": "what the network remembers of photographs",
    "crops": "{count} random parts of it, turned by up to {turn:g}°",
    "mirror": "mirrored or not",
    "cut_out": "a square hidden",
    "jitter": "shifted by up to {strength:g} pixels",
    "scale_and_rotate": "turned by up to {strength:g}° and scaled",
    "noise": "with noise",
    "pad": "with an edge of {strength:g} pixels",
    "resize": "at {strength:g} pixels",
    "fit": "at the network's own size",
    "gaussian_blur": "blurred by {strength:g}, every {every} steps",
    "decay": "faded by {strength:g}",
    "clip_small_norm": "the weakest {strength:g} % of the pixels set to zero",
    "clip_small_contribution": "the {strength:g} % of the pixels that help least set to zero",
    "soft_threshold": "all values smaller by {strength:g}",
    "clamp": "kept between black and white",
    "round_to_bytes": "rounded to 256 values",
    "shake": "shifted by up to {strength:g} pixels",
}


def in_words(part: Part) -> str:
    """A regularizer as a person would say it; one of their own by its name."""
    if part.kind.name not in WORDS:
        return str(part).removeprefix("vizkit.")
    words = WORDS[part.kind.name].format(strength=part.strength, **(part.kind.options | part.options))
    plain = {
        "1 random parts": "a random part",
        "to 1 pixels": "to 1 pixel",
        ", turned by up to 0°": "",
        ", every 1 steps": "",
    }
    for clumsy, better in plain.items():
        words = words.replace(clumsy, better)
    return words


def small_print(options: dict[str, Any]) -> str:
    """Options, under the control that they belong to; those that are off are left out."""
    return indented(", ".join(f"{name} {value}" for name, value in options.items() if value not in (None, False)))


def indented(text: str, role: str = "note") -> str:
    """Some words under a control, in small print; of the role "status" they are read aloud when they change."""
    return f"<div class='vizkit-note vizkit-indented' role={role}>{escape(text)}</div>" if text else ""


WAITS = indented("This class waits for the next Start.", "status")
