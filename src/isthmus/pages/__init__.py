"""What all pages share: one look, templates that escape, and a strict content security policy."""

from isthmus.pages.look import data_url, policy, style
from isthmus.pages.templates import rendered, short

__all__ = ["data_url", "policy", "rendered", "short", "style"]
