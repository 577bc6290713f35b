"""Pages from templates; every value is escaped."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from isthmus.pages.look import policy, style


def rendered(template: str, *, styles: tuple[str, ...] = (), scripts: tuple[str, ...] = (), **values: Any) -> str:
    """Fill a template of the package; it gets ``style``, ``script`` and the ``policy`` that lets these two run.

    Parameters
    ----------
    template : str
        Its place within the package, such as ``"report/report.html"``.
    styles, scripts : tuple of str
        Places of style sheets, which follow the shared one, and of scripts.
    **values : object
        What the template names. Text is escaped; ``{{ x | tojson }}`` writes data that a script can hold. Numbers are
        written by the filters ``short`` (three digits), ``percent`` and ``signed`` (percent with its sign).

    Returns
    -------
    str
        The page.
    """
    look, script = "".join([style(), *map(_text, styles)]), "".join(map(_text, scripts))
    own = {"style": Markup(look), "script": Markup(script), "policy": Markup(policy((look,), (script,)))}
    return _environment().get_template(template).render(own | values)


def short(number: float) -> str:
    """Write a number for people, with three digits or whole.

    Examples
    --------
    >>> short(0.012345), short(12345.6)
    ('0.0123', '12,346')
    """
    return f"{number:,.0f}" if 1e3 <= abs(number) < 1e9 else f"{number:.3g}"


def _text(place: str) -> str:
    return files("isthmus").joinpath(place).read_text("utf-8")


@cache
def _environment() -> Environment:
    options: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True, "undefined": StrictUndefined}
    environment = Environment(loader=PackageLoader("isthmus", ""), autoescape=True, **options)
    environment.filters |= {
        "short": short,
        "percent": lambda share: f"{100 * share:.1f} %",
        "signed": lambda share: f"{100 * share:+.1f} %",
    }
    return environment
