"""The style sheet of all pages, and what a page may load."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

from isthmus.colours import TEN, TEN_ON_DARK, VIRIDIS


def style() -> str:
    """Give the style sheet: ``style.css`` behind the colours of labels (``--label-0`` to ``--label-9``) as variables.

    Examples
    --------
    >>> "--label-0: #3f90da" in style()
    True
    """
    light, dark = (_variables("label", colours) for colours in (TEN, TEN_ON_DARK))
    colours = f":root {{ {light} {_variables('number', VIRIDIS)} }}\n"
    colours += f"@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
    return colours + files("isthmus.pages").joinpath("style.css").read_text("utf-8")


def policy(styles: tuple[str, ...], scripts: tuple[str, ...]) -> str:
    """Give the content security policy of a page that stands alone.

    Nothing is loaded but pictures within the page, and nothing runs but the styles and scripts that are named here.

    Parameters
    ----------
    styles, scripts : tuple of str
        What is between the tags, to the letter.

    Returns
    -------
    str
        The policy.

    Examples
    --------
    >>> policy((), ())
    "default-src 'none'; img-src data: blob:; style-src 'none'; script-src 'none'; base-uri 'none'; form-action 'none'"
    """
    allowed = {"style-src": styles, "script-src": scripts}
    inline = "; ".join(
        f"{kind} {' '.join(map(_hash, texts)) or chr(39) + 'none' + chr(39)}" for kind, texts in allowed.items()
    )
    return f"default-src 'none'; img-src data: blob:; {inline}; base-uri 'none'; form-action 'none'"


def data_url(content: bytes, kind: str = "image/png") -> str:
    """Give a file as an address that holds it whole.

    Examples
    --------
    >>> data_url(b"abc", "text/plain")
    'data:text/plain;base64,YWJj'
    """
    return f"data:{kind};base64,{b64encode(content).decode()}"


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _variables(name: str, colours: tuple[str, ...]) -> str:
    return " ".join(f"--{name}-{place}: {colour};" for place, colour in enumerate(colours))
