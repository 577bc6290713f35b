"""The concrete autoencoder."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from isthmus import hyperparameters, parts
from isthmus.codec import Codec
from isthmus.estimator import BaseAutoencoder
from isthmus.params import documented
from isthmus.recipe import Recipe, network_for, recipe_for
from isthmus.records import Facts


@documented
class ConcreteAutoencoder(hyperparameters.Concrete, BaseAutoencoder):
    """Autoencoder whose code is a choice of columns: the ones from which all columns are best rebuilt.

    ``transform`` gives the chosen columns in the units of X, `get_support` tells which they are, and
    ``inverse_transform`` rebuilds all columns from them. No column is chosen twice. Of a mixed table the cells of
    categories (``colour_red``: 0 or 1) are columns to choose from.

    Examples
    --------
    >>> import isthmus
    >>> X, _ = isthmus.datasets.load_digits()
    >>> model = isthmus.ConcreteAutoencoder(10, max_epochs=1, random_state=0).fit(X)
    >>> model.get_support().sum(), model.transform(X).shape
    (np.int64(10), (1797, 10))
    """

    def recipe(self, facts: Facts) -> Recipe:
        """A selector as encoder."""
        return recipe_for(self, facts, network_for(self, facts, parts.Selecting))

    def get_support(self, indices: bool = False) -> NDArray:
        """Tell which columns are chosen.

        Parameters
        ----------
        indices : bool, default=False
            Whether to give their numbers, in the order of the code, instead of a mask.

        Returns
        -------
        ndarray of bool of shape (columns,), or of int of shape (code_size,)
            The mask, or the numbers.
        """
        check_is_fitted(self)
        chosen = self.encoder_.support().numpy()
        if indices:
            return chosen
        mask = np.zeros(self.schema_.layout[0], dtype=bool)
        mask[chosen] = True
        return mask

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Give the names of the chosen columns, in the order of the code.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X, if it had none when it was fitted.

        Returns
        -------
        ndarray of str
            Names; ``x0``, ``x1`` and so on for columns without.
        """
        check_is_fitted(self)
        table, chosen = self.schema_.table, self.get_support(indices=True)
        if table is not None:
            return np.array(table.cell_names, dtype=object)[chosen]
        return _check_feature_names_in(self, input_features)[chosen]

    def _codec(self) -> Codec:
        codec = super()._codec()
        columns = self.encoder_.support()
        return dataclasses.replace(codec, code_scaling=self.scaling_.of_columns(columns))
