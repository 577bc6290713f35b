"""What the package raises when it is asked for something it cannot do."""

from importlib import import_module
from types import ModuleType


class IsthmusError(ValueError):
    """Base of every error about input: one sentence that says what came, what is legal and what to do."""


class ParameterError(IsthmusError, TypeError):
    """A parameter outside its legal range; the message names it."""


class DataError(IsthmusError):
    """Rows that cannot be used: an unreadable file, a wrong shape, missing or infinite cells."""


class ModelFileError(IsthmusError):
    """A model file that is damaged, foreign or of a newer format."""


class CommandLineError(IsthmusError):
    """A command line with an unknown command, a missing argument or an unknown flag."""


class ExportError(IsthmusError):
    """A model that another runtime cannot run, or runs with other answers."""


class DivergedError(IsthmusError, ArithmeticError):
    """Training met numbers that are not finite; from the second epoch on the estimator has its best weights."""


class NotEnoughMemoryError(IsthmusError, MemoryError):
    """Not even one row fits into memory."""


class HalvedBatchWarning(UserWarning):
    """Rows do not fit into memory together; they are taken in parts."""


class RankLostError(IsthmusError, ConnectionError):
    """Another process of a run that several share has ended or cannot be reached."""


class CheckpointWarning(UserWarning):
    """A checkpoint that cannot be read; an earlier one is taken."""


class CollapseWarning(UserWarning):
    """Numbers of a code that carry no information about the rows."""


class MissingExtraError(ImportError):
    """A library that only some users need is not installed; the message has the pip command."""


def require(module: str, extra: str) -> ModuleType:
    """Import ``module``, or say in one sentence which extra of the package brings it.

    Parameters
    ----------
    module : str
        Name of the module to import, such as ``"matplotlib.figure"``.
    extra : str
        The extra of the package that installs it.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    MissingExtraError
        If the module is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise MissingExtraError(
            f"{name} is needed for this and is not installed: pip install 'isthmus[{extra}]'"
        ) from error
