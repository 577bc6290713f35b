"""A model behind HTTP: rows to codes and back, as JSON, ``.npy`` or Arrow."""

from isthmus.serving.application import application
from isthmus.serving.limits import Limits
from isthmus.serving.server import serve

__all__ = ["Limits", "application", "serve"]
