"""Pages from templates; every value is escaped."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def rendered(template: str, **values: Any) -> str:
    """Fill a template of the package.

    Parameters
    ----------
    template : str
        Its place within the package, such as ``"report/report.html"``.
    **values : object
        What the template names. Text is escaped; ``{{ x | tojson }}`` writes data that a script can hold.

    Returns
    -------
    str
        The page.
    """
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("isthmus", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
