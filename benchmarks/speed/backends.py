"""How this version of Isthmus is asked for its fused engine, or for none."""

import importlib.util

from isthmus.hyperparameters import Training
from isthmus.legal import OneOf
from isthmus.params import parameters_of

FUSED, CHOSEN = "fused", "auto"


def backends() -> dict[str, dict[str, str]]:
    """Give the settings of each line of the tables: ``""`` is the default path, without the fused engine."""
    for parameter in parameters_of(Training):
        if isinstance(parameter.legal, OneOf) and FUSED in parameter.legal.choices:
            default = next(value for value in parameter.legal.choices if value not in (FUSED, CHOSEN))
            return {"": {parameter.name: default}, FUSED: {parameter.name: FUSED}}
    return {"": {}}


def why_no_fused() -> str:
    """Say why the fused engine cannot be asked for; empty if it can."""
    if FUSED not in backends():
        return "this version has no fused engine"
    return "" if importlib.util.find_spec("numba") else "numba is not installed"
