"""The scikit-learn contract, the same for every autoencoder."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from isthmus import metrics
from isthmus.codec import Codec
from isthmus.devices import device_of
from isthmus.engines import passes_for
from isthmus.exporting import BATCH_SIZES, Description, Exported, export
from isthmus.learner import Learner
from isthmus.memory import collected
from isthmus.metrics.errors import grouped_errors
from isthmus.persistence import write
from isthmus.records import Schema
from isthmus.saving import saved_of
from isthmus.sources.protocol import head_of
from isthmus.summary import summary_of
from isthmus.tables import as_frame, collapsed, numbers_only
from isthmus.validation import checked_codes, checked_source
from isthmus.weighting import checked_weights


class BaseAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Learner):
    """What all autoencoders do once they are fitted."""

    def transform(self, X: Any) -> NDArray:
        """Give the codes of rows.

        Parameters
        ----------
        X : array-like of shape (n, columns), (n, height, width) or (n, height, width, channels)
            Rows, in the shape that was fitted.

        Returns
        -------
        ndarray of shape (n, prod(code_shape_))
            Codes, float32. A code that is a feature map is flattened with its channels last.
        """
        check_is_fitted(self)
        source = checked_source(self, X, reset=False)
        return collected(self._codec().encoded(source), len(source))

    def inverse_transform(self, X: ArrayLike) -> NDArray:
        """Give the rows that codes stand for, in the shape and the units of the X that was fitted.

        Parameters
        ----------
        X : array-like of shape (n, prod(code_shape_))
            Codes.

        Returns
        -------
        ndarray of shape (n, ...)
            Rows, float32.
        """
        check_is_fitted(self)
        codes = checked_codes(X, self.code_shape_)
        return self._given_back(collected(self._codec().decoded(codes), len(codes)), X)

    def reconstruct(self, X: Any) -> NDArray:
        """Give the rows rebuilt from their codes, in the shape and the units of X.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Rows, in the shape that was fitted.

        Returns
        -------
        ndarray of shape (n, ...)
            Rebuilt rows, float32.
        """
        return self._given_back(np.concatenate([rebuilt for _, rebuilt in self._rebuilt(X)]), X)

    def impute(self, X: Any) -> Any:
        """Give X with its missing cells filled by the rows that the model rebuilds; what is there stays as it is.

        Filled rows are rebuilt again until the filled cells settle, 100 times at most; of a linear model this is
        iterative PCA (Josse & Husson 2012). A model with ``missing="mask"`` knows which cells are missing and fills
        them in one pass.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Rows, in the shape that was fitted; missing cells are NaN, or whatever the library of a frame has for them.

        Returns
        -------
        ndarray of shape (n, ...), or data frame
            Rows without missing cells, in the type of X; a data frame for a mixed table.

        Examples
        --------
        >>> import isthmus, numpy as np
        >>> X = np.column_stack([np.arange(50.0), 2 * np.arange(50.0)])
        >>> model = isthmus.LinearAutoencoder(1).fit(X)
        >>> X[7, 1] = np.nan
        >>> model.impute(X)[7].round(2)
        array([ 7., 14.])
        """
        check_is_fitted(self)
        source = checked_source(self, X, reset=False)
        return self._framed(np.concatenate(list(self._codec().filled(source))), X)

    def reconstruction_error(self, X: Any) -> NDArray:
        """Give the mean squared error of each rebuilt row, in the units of X.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Rows, in the shape that was fitted.

        Returns
        -------
        ndarray of shape (n,)
            Squared differences, averaged over the columns of the row.
        """
        check_is_fitted(self)
        table, pairs = self.schema_.table, self._compared(self._rebuilt(X))
        if table is not None:
            return np.concatenate([grouped_errors(*pair, table.owners) for pair in pairs])
        return np.concatenate([metrics.mean_squared_error(*pair, per="row") for pair in pairs])

    def score(self, X: Any, y: object = None, sample_weight: ArrayLike | None = None) -> float:
        """Give the fraction of the variance of X that the rebuilt rows explain; missing cells are left out.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Rows, in the shape that was fitted.
        y : None
            Ignored.
        sample_weight : array-like of shape (n,), default=None
            How much each row counts. None: all count the same.

        Returns
        -------
        float
            1 is perfect, 0 as good as the mean of X; comparable with PCA and between all variants.
        """
        check_is_fitted(self)
        source = checked_source(self, X, reset=False)
        weights = checked_weights(sample_weight, len(source)) if sample_weight is not None else None
        return metrics.explained_variance_of(self._compared(self._codec().rebuilt(source)), weights)

    def summary(self) -> str:
        """Give the table of layers, output shapes (channels last) and parameter counts."""
        check_is_fitted(self)
        return summary_of(type(self).__name__, self.module_)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the fitted model into one file; see `isthmus.load`.

        Parameters
        ----------
        path : str or Path
            The file, ``.safetensors`` by convention.
        overwrite : bool, default=False
            Whether a file that exists may be replaced.

        Raises
        ------
        FileExistsError
            If the file exists and ``overwrite`` is false.
        """
        check_is_fitted(self)
        write(saved_of(self), Path(path), overwrite=overwrite)

    def export(
        self,
        path: str | Path,
        X: Any = None,
        *,
        encoder: bool = True,
        decoder: bool = True,
        int8: bool = False,
        overwrite: bool = False,
    ) -> Exported:
        """Write the encoder, the decoder or both, with the scaling inside, for a runtime without this package.

        The file takes any number of rows. Its input is ``rows``, in the shape, the type and the units of the X that was
        fitted (missing cells too), or ``codes`` for the decoder alone; its outputs are ``codes`` and ``rebuilt``. It is
        run beside the model, on random rows and on X, at batch sizes 1, 7 and 1,000, and kept only if their answers
        differ by no more than 1e-5 of their range.

        Parameters
        ----------
        path : str or Path
            The file: ``.onnx`` for onnxruntime (operators of version 20, which every onnxruntime since 1.20 of
            November 2024 reads), ``.pt2`` for `torch.export.load`.
        X : array-like of shape (n, ...), default=None
            Rows to compare on, besides random ones; the first 1,000 are taken.
        encoder, decoder : bool, default=True
            Which halves to write.
        int8 : bool, default=False
            Whether to write weights as 8-bit integers, a quarter of the size. What that loses is measured and
            reported, not refused.
        overwrite : bool, default=False
            Whether a file that exists may be replaced.

        Returns
        -------
        Exported
            Names, types and shapes of inputs and outputs, and the measured differences.

        Raises
        ------
        ExportError
            If the network cannot be traced, or the file's answers are not the model's.
        FileExistsError
            If the file exists and ``overwrite`` is false.
        MissingExtraError
            If onnx, onnxscript or onnxruntime is not installed: ``pip install 'isthmus[onnx]'``.
        """
        check_is_fitted(self)
        numbers_only("an export", self.schema_.table)
        rows = None if X is None else head_of(checked_source(self, X, reset=False), max(BATCH_SIZES))
        halves = {"encoder": encoder, "decoder": decoder}
        about = Description.of(self)
        return export(self._codec(), about, Path(path), rows, **halves, int8=int8, overwrite=overwrite)

    def _rebuilt(self, X: Any) -> Iterator[tuple[NDArray, NDArray]]:
        """Yield batches of rows, each with its reconstruction."""
        check_is_fitted(self)
        return self._codec().rebuilt(checked_source(self, X, reset=False))

    def _compared(self, pairs: Iterable[tuple[NDArray, NDArray]]) -> Iterator[tuple[NDArray, NDArray]]:
        """Yield rows and reconstructions in the units to compare them in: those of X, of mixed tables scaled ones."""
        scale = self.scaling_.scale.numpy()
        for rows, rebuilt in pairs:
            yield (rows, rebuilt) if self.schema_.table is None else (rows / scale, rebuilt / scale)

    def _given_back(self, rows: NDArray, X: Any) -> Any:
        """Give rebuilt rows in the form of what was fitted: an array, or a frame of a mixed table."""
        table = self.schema_.table
        return rows if table is None else self._framed(collapsed(rows, table), X)

    def _framed(self, rows: NDArray, X: Any) -> Any:
        """Give rows of a mixed table, a number for each column, as a frame with the index of X."""
        if self.schema_.table is None:
            return rows
        frame = as_frame(rows, self.schema_.table)
        if hasattr(frame, "iloc") and hasattr(X, "iloc"):
            frame.index = X.index
        return frame

    def _codec(self) -> Codec:
        device = device_of(self.device)
        if any(weight.device.type != device.type for weight in self._weights()):
            self.module_.to(device)  # only then: other threads may be using the model
        passes = passes_for(self.module_, self.backend)
        return Codec(self.module_, self.scaling_, device, passes=passes)

    @property
    def encoder_(self) -> Any:
        """The encoder alone: a torch module on scaled rows."""
        return self.module_.encoder

    @property
    def decoder_(self) -> Any:
        """The decoder alone: a torch module on codes."""
        return self.module_.decoder

    @property
    def code_shape_(self) -> tuple[int, ...]:
        """Shape of the code of a row, channels last."""
        return self.module_.code_shape

    @property
    def schema_(self) -> Schema:
        """What a row looks like."""
        return self.module_.schema

    @property
    def _n_features_out(self) -> int:
        return math.prod(self.code_shape_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
