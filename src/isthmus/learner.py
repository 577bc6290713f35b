"""Fitting: how an estimator becomes a trained module, and goes on from one."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from isthmus.callbacks import BestWeights, Callback, Progress, ScikitLearnCallbacks
from isthmus.checkpoints import Checkpoints, checkpointed
from isthmus.devices import device_of
from isthmus.errors import DataError, DivergedError
from isthmus.hyperparameters import Training
from isthmus.module import AutoencoderModule
from isthmus.params import check
from isthmus.provenance import Digest, drawn_random, provenance_of, seed_of
from isthmus.ranks import ranks
from isthmus.recipe import Recipe, layout_of
from isthmus.records import Epoch, Facts, Provenance, Reference, Schema
from isthmus.reference import reference_of
from isthmus.rows import Rows
from isthmus.scaling import Scaling, learn_scaling, widened
from isthmus.sources.iterables import gathered, is_batches
from isthmus.sources.shuffling import split
from isthmus.sources.tables import table_of
from isthmus.state import TrainingState
from isthmus.training import Trainer
from isthmus.validation import checked_source
from isthmus.weighting import training_weights


class Learner(CallbackSupportMixin, BaseEstimator, Training, ABC):
    """What learns a network from rows; a variant says which recipe its parameters make."""

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
        rows = Rows(source, self.module_.schema, scaling, device_of(self.device), source.missing, weights)
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

    @property
    def held_out_(self) -> NDArray:
        """Rows of X that were held out to validate on, by their numbers."""
        if self._held_out.ndim == 1:
            return self._held_out
        return np.concatenate([np.arange(0), *(np.arange(start, stop) for start, stop in self._held_out)])

    def _weights(self) -> list[torch.Tensor]:
        return list(self.module_.parameters()) if self.__sklearn_is_fitted__() else []

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def __getstate__(self) -> dict[str, Any]:
        """Leave the optimizer behind: it shares memory with the weights, which a pickle would tear apart."""
        state = dict(super().__getstate__())
        state.pop("_training_state", None)
        if any(weight.device.type != "cpu" for weight in self._weights()):
            state["module_"] = copy.deepcopy(self.module_).to("cpu")
        return state
