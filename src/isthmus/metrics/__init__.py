"""Measures of reconstructions, of codes and of what a code keeps of its rows.

They take arrays, so that they measure any model: rows, what a model made of them, their codes, labels.
"""

from isthmus.metrics.dimension import intrinsic_dimension
from isthmus.metrics.errors import explained_variance, explained_variance_of, mean_squared_error
from isthmus.metrics.importance import Importance, importance_order
from isthmus.metrics.neighbours import continuity, neighbourhood_overlap, trustworthiness
from isthmus.metrics.probes import knn_accuracy, linear_probe_accuracy
from isthmus.metrics.units import (
    activation_frequencies,
    active_units,
    dead_fraction,
    dead_units,
    kl_per_unit,
    mean_active_units,
)

__all__ = [
    "Importance",
    "activation_frequencies",
    "active_units",
    "continuity",
    "dead_fraction",
    "dead_units",
    "explained_variance",
    "explained_variance_of",
    "importance_order",
    "intrinsic_dimension",
    "kl_per_unit",
    "knn_accuracy",
    "linear_probe_accuracy",
    "mean_active_units",
    "mean_squared_error",
    "neighbourhood_overlap",
    "trustworthiness",
]
