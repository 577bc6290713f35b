"""The scikit-learn contract, the same for every autoencoder."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from isthmus import metrics
from isthmus.callbacks import BestWeights, Callback, Progress, ScikitLearnCallbacks
from isthmus.checkpoints import Checkpoints, checkpointed
from isthmus.codec import Codec
from isthmus.devices import device_of
from isthmus.errors import DataError, DivergedError
from isthmus.exporting import BATCH_SIZES, Description, Exported, export
from isthmus.hyperparameters import Training
from isthmus.memory import collected
from isthmus.metrics.errors import grouped_errors
from isthmus.module import AutoencoderModule
from isthmus.params import check
from isthmus.persistence import write
from isthmus.provenance import Digest, drawn_random, provenance_of, seed_of
from isthmus.ranks import ranks
from isthmus.recipe import Recipe, layout_of
from isthmus.records import Epoch, Facts, Provenance, Reference, Schema
from isthmus.reference import reference_of
from isthmus.rows import Rows
from isthmus.saving import saved_of
from isthmus.scaling import Scaling, learn_scaling, widened
from isthmus.sources.iterables import gathered, is_batches
from isthmus.sources.protocol import head_of
from isthmus.sources.shuffling import split
from isthmus.sources.tables import table_of
from isthmus.state import TrainingState
from isthmus.summary import summary_of
from isthmus.tables import as_frame, collapsed, numbers_only
from isthmus.training import Trainer
from isthmus.validation import checked_codes, checked_source
from isthmus.weighting import checked_weights, training_weights


class BaseAutoencoder(
    CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, Training, ABC
):
    """What all autoencoders do; a variant says which recipe its parameters make."""

    history_: list[Epoch]
    module_: AutoencoderModule
    scaling_: Scaling
    reference_: Reference
    provenance_: Provenance

    _arrays: ClassVar[dict[str, tuple[str, ...]]] = {}

    @abstractmethod
    def recipe(self, facts: Facts) -> Recipe:
        """Give the parts that the parameters stand for, for rows of some shape."""

    def _scaling_choice(self) -> str:
        return self.scaling

    def _held_out_fraction(self) -> float:
        return self.validation_fraction

    def _learn(self, trainer: Trainer, *, once: bool) -> None:
        if once:
            trainer.run_epoch()
        else:
            trainer.run()

    @with_callbacks
    def fit(self, X: Any, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Learn to rebuild the rows of X.

        Parameters
        ----------
        X : array-like of shape (n, columns), (n, height, width) or (n, height, width, channels)
            Rows: an array, a sparse matrix, a tensor, a data frame, a path, or an iterable of batches that can be read
            again (see ``docs/data.md``). What is larger than memory stays where it is. Missing cells (NaN) are left
            out of the loss and the scaling.
        y : None
            Ignored; there for scikit-learn's conventions.
        sample_weight : array-like of shape (n,), default=None
            How much each row counts, in the loss, the penalties and the scaling. None: all count the same.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ParameterError
            If a parameter is not legal.
        ValueError
            If X has infinite cells, no rows, or cells that are no numbers.
        DivergedError
            If numbers stop being finite. After the first epoch the estimator then has the weights of its best epoch
            and can be used; before, it is not fitted.
        """
        check(self)
        random, best = self._random(), BestWeights(self.patience)
        with checkpointed(self, random) as checkpoints:
            trainer = self._new_trainer(X, self._held_out_fraction(), self.schedule, random, sample_weight)
            if checkpoints is not None:
                checkpoints.resume(trainer, best)
            trainer.callbacks = self._callbacks(X, y, best, checkpoints)
            try:
                self._learn(trainer, once=False)
            except DivergedError:
                self.__dict__.pop("module_", None)
                raise
        self._finish(trainer)
        if trainer.diverged is not None:
            raise trainer.diverged
        return self

    def partial_fit(self, X: Any, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from the rows of X once, at a constant learning rate; go on where the last call ended.

        Nothing is held out. The first call learns the scaling from its rows.

        Parameters
        ----------
        X : array-like of shape (n, columns), (n, height, width) or (n, height, width, channels)
            Rows of any kind that `fit` takes, of the same shape in every call. An iterable of batches, a generator
            too, is learned from some 128 MB at a time, each an entry of ``history_``.
        y : None
            Ignored.
        sample_weight : array-like of shape (n,), default=None
            How much each row counts.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        DivergedError
            If numbers stop being finite; the estimator stays as it was before the call.
        """
        check(self)
        if not is_batches(X):
            return self._learn_once(X, sample_weight)
        if sample_weight is not None:
            raise DataError("sample_weight cannot be given with an iterable of batches; call partial_fit for each")
        for rows in gathered(X):
            self._learn_once(rows, None)
        check_is_fitted(self)
        return self

    def _learn_once(self, X: Any, sample_weight: ArrayLike | None) -> Self:
        if not self.__sklearn_is_fitted__():
            trainer = self._new_trainer(X, 0.0, "constant", self._random(), sample_weight)
            self._learn(trainer, once=True)
            return self._finish(trainer)
        trainer = self._old_trainer(X, sample_weight)
        before = {name: value.clone() for name, value in trainer.module.state_dict().items()}
        try:
            self._learn(trainer, once=True)
        except DivergedError:
            trainer.module.load_state_dict(before)
            trainer.state.optimizer = None
            raise
        return self._finish(trainer)

    def _callbacks(self, X: Any, y: object, best: BestWeights, checkpoints: Checkpoints | None) -> list[Callback]:
        """Watch in this order: the best weights are known when a checkpoint is written."""
        progress: list[Callback] = [Progress()] if self.verbose and ranks().first else []
        kept = [checkpoints] if checkpoints is not None else []
        return [*progress, best, *kept, ScikitLearnCallbacks(self, X, y)]

    def _new_trainer(
        self,
        X: Any,
        validation_fraction: float,
        schedule: str,
        random: np.random.RandomState,
        sample_weight: ArrayLike | None,
    ) -> Trainer:
        """Check the rows; build the network; draw the split and the first weights."""
        device = device_of(self.device)
        source, seed = checked_source(self, X, reset=True), seed_of(random)
        training, validation = split(source.pieces, validation_fraction, random)
        weights = training_weights(sample_weight, source, training)
        digest = Digest(source)
        scaling = learn_scaling(source, training, self._scaling_choice(), weights, digest, ranks())
        digest.join(ranks())
        self.provenance_ = provenance_of(digest, seed, str(device))
        facts = Facts(source.row_shape, scaling.low, scaling.high, table_of(source))
        recipe = self.recipe(facts)
        recipe.reconstruction.check(scaling.low, scaling.high)
        schema = Schema(source.row_shape, layout_of(recipe, facts), str(source.dtype), facts.table)
        first = torch.Generator().manual_seed(int(random.randint(2**31)))
        module = AutoencoderModule(recipe, schema).materialise(first).to(device)
        rows = Rows(source, schema, scaling, device, source.missing, weights)
        module.start_at(rows.first_look(training))
        return Trainer(module, self, rows, training, validation, self._state(random), schedule, ranks=ranks())

    def _old_trainer(self, X: Any, sample_weight: ArrayLike | None) -> Trainer:
        """Go on with the fitted network and, in the process that trained it, with its optimizer."""
        source = checked_source(self, X, reset=False)
        module = self.module_.to(device_of(self.device))
        state = getattr(self, "_training_state", None)
        if state is None:
            state = self._state(self._random())
            state.history = self.history_
        every = np.arange(source.pieces.count)
        weights = training_weights(sample_weight, source, every)
        digest = Digest(source)
        scaling = widened(self.scaling_, source, digest, ranks())
        digest.join(ranks())
        self.provenance_ = provenance_of(digest, None, str(device_of(self.device)), self.provenance_)
        rows = Rows(source, self.schema_, scaling, device_of(self.device), source.missing, weights)
        return Trainer(module, self, rows, every, np.arange(0), state, "constant", ranks=ranks())

    def _random(self) -> np.random.RandomState:
        """Give the source of chance, the same for all ranks; without a seed a new one, never numpy's global one."""
        return ranks().agreed(drawn_random()) if self.random_state is None else check_random_state(self.random_state)

    def _state(self, random: np.random.RandomState) -> TrainingState:
        noise = torch.Generator(device_of(self.device)).manual_seed(int(random.randint(2**31)) + ranks().rank)
        return TrainingState(noise, random)

    def _finish(self, trainer: Trainer) -> Self:
        self.module_ = trainer.module.eval()
        self.scaling_ = trainer.rows.scaling
        self.reference_ = reference_of(trainer)
        self.history_ = trainer.state.history
        self.n_iter_ = len(self.history_)
        self._held_out = trainer.rows.source.pieces.rows_or_ranges(trainer.validation)
        self._training_state = trainer.state
        return self

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
        >>> X[7, 1] = np.nan
        >>> filled = isthmus.LinearAutoencoder(1).fit(X).impute(X)
        >>> filled[7, 0].item(), bool(np.isnan(filled).any())
        (7.0, False)
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

    def _weights(self) -> list[torch.Tensor]:
        return list(self.module_.parameters()) if self.__sklearn_is_fitted__() else []

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
        return Codec(self.module_, self.scaling_, device)

    @property
    def held_out_(self) -> NDArray:
        """Rows of X that were held out to validate on, by their numbers."""
        if self._held_out.ndim == 1:
            return self._held_out
        return np.concatenate([np.arange(0), *(np.arange(start, stop) for start, stop in self._held_out)])

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

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """Leave the optimizer behind: it shares memory with the weights, which a pickle would tear apart."""
        state = dict(super().__getstate__())
        state.pop("_training_state", None)
        if any(weight.device.type != "cpu" for weight in self._weights()):
            state["module_"] = copy.deepcopy(self.module_).to("cpu")
        return state
