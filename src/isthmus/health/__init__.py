"""The health of a code on some rows, in plain words."""

from isthmus.health.examination import examine
from isthmus.health.findings import SEVERITIES, Finding

__all__ = ["SEVERITIES", "Finding", "examine"]
