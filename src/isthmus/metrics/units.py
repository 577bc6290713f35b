"""Which numbers of a code are at work: of sparse codes, of normal posteriors."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import DataError
from isthmus.legal import Number
from isthmus.metrics.checks import check_parameter, numbers, paired


def active_units(codes: ArrayLike, threshold: float = 0.01) -> NDArray:
    """Which units of a code are active: their variance over rows is above a threshold.

    Burda, Grosse & Salakhutdinov, "Importance weighted autoencoders", 2016, call a unit of a variational code active
    if the variance over rows of its posterior mean, which is what ``transform`` gives, is above .01.

    Parameters
    ----------
    codes : array-like of shape (n, units)
        Codes of rows.
    threshold : float, default=0.01
        In the squared units of the codes; .01 has its meaning where the prior is the standard normal distribution.

    Returns
    -------
    ndarray of bool of shape (units,)
        Its sum is their number of active units.

    Raises
    ------
    ParameterError
        If ``threshold`` is negative or no finite number.
    DataError
        If ``codes`` are not rows of finite numbers.

    Examples
    --------
    >>> from isthmus.metrics import active_units
    >>> active_units([[0.0, 1.0], [0.1, 3.0]])
    array([False,  True])
    """
    check_parameter("threshold", threshold, Number(0))
    return numbers("codes", codes).var(axis=0, dtype=np.float64) > threshold


def activation_frequencies(codes: ArrayLike) -> NDArray:
    """Share of the rows for which each unit of a code is not zero.

    Their sum is `mean_active_units`; 0 is a unit that is dead on these rows.

    Parameters
    ----------
    codes : array-like of shape (n, units)
        Codes of rows.

    Returns
    -------
    ndarray of shape (units,)
        0 to 1.

    Raises
    ------
    DataError
        If ``codes`` are not rows of finite numbers.

    Examples
    --------
    >>> from isthmus.metrics import activation_frequencies
    >>> activation_frequencies([[0.0, 1.0], [2.0, 1.0]])
    array([0.5, 1. ])
    """
    return (numbers("codes", codes) != 0).mean(axis=0)


def mean_active_units(codes: ArrayLike) -> float:
    """Mean number of units of a code that are not zero, over rows; the l0 norm of sparse codes.

    Parameters
    ----------
    codes : array-like of shape (n, units)
        Codes of rows.

    Returns
    -------
    float
        0 to the number of units.

    Raises
    ------
    DataError
        If ``codes`` are not rows of finite numbers.

    Examples
    --------
    >>> from isthmus.metrics import mean_active_units
    >>> mean_active_units([[0.0, 1.0], [2.0, 1.0]])
    1.5
    """
    return float(np.count_nonzero(numbers("codes", codes), axis=1).mean())


def dead_units(codes: ArrayLike) -> NDArray:
    """Which units of a code are the same for every row, zero as a rule.

    Parameters
    ----------
    codes : array-like of shape (n, units)
        Codes of rows.

    Returns
    -------
    ndarray of bool of shape (units,)
        Units that differ by no more than rounding are the same.

    Raises
    ------
    DataError
        If ``codes`` are not rows of finite numbers.

    Examples
    --------
    >>> from isthmus.metrics import dead_units
    >>> dead_units([[0.0, 1.0], [0.0, 2.0]])
    array([ True, False])
    """
    flat = numbers("codes", codes)
    rounding = 4 * np.finfo(flat.dtype).eps if flat.dtype.kind == "f" else 0
    return np.ptp(flat, axis=0) <= rounding * np.abs(flat).max(axis=0)


def dead_fraction(codes: ArrayLike) -> float:
    """Share of the units that are the same for every row, zero as a rule.

    Parameters
    ----------
    codes : array-like of shape (n, units)
        Codes of rows.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    DataError
        If ``codes`` are not rows of finite numbers.

    Examples
    --------
    >>> from isthmus.metrics import dead_fraction
    >>> dead_fraction([[0.0, 1.0], [0.0, 2.0]])
    0.5
    """
    return float(dead_units(codes).mean())


def kl_per_unit(mean: ArrayLike, scale: ArrayLike) -> NDArray:
    """Mean divergence of each unit's posterior from the standard normal prior.

    KL(N(m, s^2) || N(0, 1)) = (m^2 + s^2 - 1) / 2 - log s, averaged over rows (Kingma & Welling, "Auto-encoding
    variational Bayes", 2014, appendix B). ``kl_per_unit(*model.posterior(X))`` measures a variational model; near 0
    is a unit that collapsed to the prior.

    Parameters
    ----------
    mean, scale : array-like of shape (n, units)
        Mean and standard deviation of the normal distribution of each code.

    Returns
    -------
    ndarray of shape (units,)
        Nats.

    Raises
    ------
    DataError
        If the two differ in shape or are not finite, or a scale is not positive.

    Examples
    --------
    >>> from isthmus.metrics import kl_per_unit
    >>> kl_per_unit([[0.0, 2.0]], [[1.0, 1.0]])
    array([0., 2.])
    """
    means, scales = (array.astype(np.float64) for array in paired(("mean", mean), ("scale", scale)))
    if means.shape != scales.shape:
        raise DataError(f"scale must have the shape of mean, {means.shape}; got {scales.shape}")
    if scales.min() <= 0:
        raise DataError(f"scale must be above 0, as standard deviations are; got {scales.min():g}")
    return ((np.square(means) + np.square(scales) - 1) / 2 - np.log(scales)).mean(axis=0)
