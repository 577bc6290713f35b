"""What a wheel brings that the repository does not hold: ONNX Runtime for browsers, from npm."""

import runpy
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BuildHook(BuildHookInterface):
    """Loads the runtime before a wheel is built; without npm the wheel is built without it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Load the runtime, but for installations that point to the source."""
        if version == "editable":
            return
        runtime = runpy.run_path(f"{self.root}/src/isthmus/explorer/runtime.py")
        try:
            runtime["fetch"]()
        except OSError as error:
            self.app.display_warning(f"isthmus explore --export will not work: {error}")
