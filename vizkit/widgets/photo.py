"""A photo to start from: uploaded by a person, or given in code."""

import io
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as W
from PIL import Image
from torch import Tensor

from ..errors import VizkitError
from ..images import as_photo, from_picture
from ..networks import Classifier


class PhotoPicker(W.VBox):
    """Takes one picture file, and keeps it as it is: another network may need it in another size."""

    def __init__(self) -> None:
        self.upload = W.FileUpload(accept="image/*", description="Choose a photo", layout=W.Layout(width="auto"))
        self.note = W.HTML()
        self._photo: Image.Image | Tensor | None = None
        super().__init__([self.upload, self.note])
        self.add_class("vizkit-indented")
        self.appear(False)

    def appear(self, wanted: bool) -> None:
        self.layout.display = "" if wanted else "none"

    def take_upload(self) -> None:
        """Keeps the uploaded file. Raises `VizkitError` for one that is no picture; then the photo before it stays."""
        name, content = uploaded(self.upload)
        self.keep(io.BytesIO(content), name)

    def keep(self, picture: Any, name: str = "") -> None:
        """A photo (see `vizkit.images.as_photo`), or a start image: a zero-centred tensor."""
        if isinstance(picture, Tensor):
            self._photo, size = picture.detach().clone(), " × ".join(map(str, picture.shape[:1:-1]))
        else:
            self._photo = as_photo(picture, name)
            size = f"{self._photo.width} × {self._photo.height}"
        name = name or (Path(picture).name if isinstance(picture, (str, Path)) else "")
        self.note.value = f"<div class=vizkit-note>{escape(', '.join(filter(None, [name, size])))}</div>"

    def image(self, net: Classifier) -> Tensor:
        """The photo as a start image for `net`."""
        if self._photo is None:
            raise VizkitError("There is no photo yet. Press Choose a photo, under Start from, and pick a picture file.")
        return self._photo if isinstance(self._photo, Tensor) else from_picture(net, self._photo)


def uploaded(upload: Any) -> tuple[str, bytes]:
    """Name and content of the file that was uploaded: ipywidgets 7 has a dict of files by name, 8 a tuple of files."""
    files = upload.value
    name, file = next(iter(files.items())) if isinstance(files, dict) else (files[0]["name"], files[0])
    return name, bytes(file["content"])
