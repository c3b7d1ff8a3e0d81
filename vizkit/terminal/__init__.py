"""vizkit without a notebook: `python -m vizkit …`."""
