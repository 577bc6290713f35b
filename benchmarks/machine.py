"""What a number was measured on."""

import os
import platform
from datetime import date

import torch

import isthmus


def machine() -> str:
    """Say machine, versions and date in a line."""
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), torch {torch.__version__}, isthmus {isthmus.__version__}, "
        f"{date.today().isoformat()}"
    )
