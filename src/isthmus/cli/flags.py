"""Command-line flags, made from the declared hyper-parameters."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction
from collections.abc import Collection, Mapping
from typing import Any

from isthmus import hyperparameters
from isthmus.errors import ParameterError
from isthmus.legal import Either, Flag, PartOf
from isthmus.params import Param, parameters_of

MODELS: dict[str, type] = {
    "dense": hyperparameters.Dense,
    "convolutional": hyperparameters.Convolutional,
    "linear": hyperparameters.Linear,
    "denoising": hyperparameters.Denoising,
    "sparse": hyperparameters.Sparse,
    "concrete": hyperparameters.Concrete,
    "contractive": hyperparameters.Contractive,
    "variational": hyperparameters.Variational,
}


def estimator_name(model: str) -> str:
    """Give the class of a model's name on the command line."""
    return f"{model.capitalize()}Autoencoder"


def _declared() -> dict[str, dict[str, Param]]:
    """Give each parameter's declaration in each model that has it."""
    found: dict[str, dict[str, Param]] = {}
    for model, owner in MODELS.items():
        for parameter in parameters_of(owner):
            if not isinstance(parameter.legal, PartOf):
                found.setdefault(parameter.name, {})[model] = parameter
    return found


def _is_flag(parameter: Param) -> bool:
    legal = parameter.legal.first if isinstance(parameter.legal, Either) else parameter.legal
    return isinstance(legal, Flag)


def _default(parameter: Param) -> str:
    if parameter.default is None:
        return parameter.none
    if isinstance(parameter.default, tuple):
        return ",".join(map(str, parameter.default))
    return str(parameter.default).lower() if isinstance(parameter.default, bool) else str(parameter.default)


def _help(by_model: dict[str, Param]) -> str:
    """Say meaning, legal values and default; where models differ, for each of them."""
    defaults: dict[str, list[str]] = {}
    for model, parameter in by_model.items():
        defaults.setdefault(_default(parameter), []).append(model)
    first = next(iter(by_model.values()))
    words = [text if len(defaults) == 1 else f"{', '.join(models)}: {text}" for text, models in defaults.items()]
    return f"{first.help} ({first.legal}) [default: {'; '.join(words)}]".replace("%", "%%")


def _group(by_model: dict[str, Param]) -> str:
    return "Training" if len(by_model) == len(MODELS) else f"Only for {', '.join(by_model)}"


def add_flags(parser: ArgumentParser, without: Collection[str] = ()) -> None:
    """Give a command a flag for each hyper-parameter but some, in groups of the models that have it."""
    groups: dict[str, Any] = {}
    for name, by_model in _declared().items():
        if name in without:
            continue
        title = _group(by_model)
        group = groups.get(title) or groups.setdefault(title, parser.add_argument_group(title))
        if _is_flag(next(iter(by_model.values()))):
            group.add_argument(f"--{_dashed(name)}", action=BooleanOptionalAction, help=_help(by_model))
        else:
            group.add_argument(f"--{_dashed(name)}", metavar="VALUE", help=_help(by_model))


def parameters_for(model: str, flags: Mapping[str, Any]) -> dict[str, Any]:
    """Read the flags that were given as parameters of a model.

    Raises
    ------
    ParameterError
        If a flag is not a parameter of the model, or its text is no legal value.
    """
    declared, values = _declared(), {}
    for name, by_model in declared.items():
        text = flags.get(name)
        if text is None:
            continue
        if model not in by_model:
            raise ParameterError(
                f"--{_dashed(name)} is not a parameter of {model}; it belongs to {', '.join(by_model)}"
            )
        values[name] = _value(by_model[model], text)
    return values


def _value(parameter: Param, text: str | bool) -> Any:
    if isinstance(text, bool):
        return text
    if parameter.none and text.lower() == "none":
        return None
    try:
        value = parameter.legal.parse(text)
        parameter.check(value, "")
    except (ValueError, OverflowError) as error:
        alternative = f", or none for {parameter.none}" if parameter.none else ""
        raise ParameterError(
            f"--{_dashed(parameter.name)} must be {parameter.legal}{alternative}; got {text!r}"
        ) from error
    return value


def _dashed(name: str) -> str:
    return name.replace("_", "-")
