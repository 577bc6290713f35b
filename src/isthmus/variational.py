"""The variational autoencoder."""

from __future__ import annotations

import warnings
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from isthmus import evidence, hyperparameters, parts
from isthmus.errors import CollapseWarning, ParameterError
from isthmus.estimator import BaseAutoencoder
from isthmus.module import built
from isthmus.params import documented
from isthmus.recipe import Recipe, recipe_for, reconstruction_of
from isthmus.records import Facts
from isthmus.rows import Rows, predictions_size
from isthmus.training import Trainer
from isthmus.validation import checked_source

_COLLAPSED = 0.01
_LIKELIHOODS = "a reconstruction that is a likelihood ('bernoulli', 'continuous_bernoulli' or 'gaussian')"


class Posterior(NamedTuple):
    """Mean and scale of the normal distribution of each code, arrays of shape (n, code numbers)."""

    mean: NDArray
    scale: NDArray


@documented
class VariationalAutoencoder(hyperparameters.Variational, BaseAutoencoder):
    """Autoencoder that learns a distribution of codes and can sample.

    The encoder gives a normal distribution with a diagonal covariance, the prior is the standard normal one,
    the loss is the negative evidence lower bound (Kingma & Welling, "Auto-encoding variational Bayes", 2014).
    ``transform`` gives the mean of the posterior; nothing is drawn.

    Attributes
    ----------
    kl_per_unit_ : ndarray of shape (code numbers,)
        Mean divergence of each number of the code from the prior on the training rows, in nats. Below .01 it
        is collapsed: it says nothing about the rows, and `fit` warns.

    Examples
    --------
    >>> import isthmus
    >>> X, _ = isthmus.datasets.load_digits()
    >>> model = isthmus.VariationalAutoencoder(2, max_epochs=5, random_state=0).fit(X)
    >>> model.sample(3, random_state=0).shape
    (3, 8, 8)
    """

    _arrays: ClassVar[dict[str, tuple[str, ...]]] = {"kl_per_unit_": ("code",)}

    def recipe(self, facts: Facts) -> Recipe:
        """A normal bottleneck, and the divergence from the prior as penalty."""
        if self.n_importance > 1 and (self.beta != 1 or self.warmup or self.free_bits):
            raise ParameterError(
                "n_importance above 1 trains the importance-weighted bound, which has no beta, warmup or free_bits; "
                f"leave them at 1, 0 and 0; got {self.beta}, {self.warmup} and {self.free_bits}"
            )
        reconstruction = reconstruction_of(self, facts)
        if self.n_importance > 1 and not hasattr(built(reconstruction), "log_likelihood"):
            raise ParameterError(f"n_importance above 1 needs {_LIKELIHOODS}; got {self.reconstruction!r}")
        weight = parts.Ramp(0.0, self.beta, share=self.warmup) if self.warmup else self.beta
        return recipe_for(
            self,
            facts,
            bottleneck=parts.Gaussian(),
            penalties=(parts.Divergence(weight, free_bits=self.free_bits),),
            n_importance=self.n_importance,
        )

    def _learn(self, trainer: Trainer, *, once: bool) -> None:
        super()._learn(trainer, once=once)
        batches = trainer.rows.batches(trainer.training, predictions_size(trainer.module.schema, trainer.module.widest))
        self.kl_per_unit_ = evidence.mean_divergences(trainer.module, batches)
        collapsed = np.flatnonzero(self.kl_per_unit_ < _COLLAPSED)
        if len(collapsed) and not once:
            warnings.warn(
                f"{len(collapsed)} of {len(self.kl_per_unit_)} numbers of the code collapsed to the prior and say "
                f"nothing about the rows ({', '.join(map(str, collapsed[:10]))}); a smaller code_size or beta, warmup "
                "or free_bits keep them alive",
                CollapseWarning,
                stacklevel=4,
            )

    def posterior(self, X: ArrayLike) -> Posterior:
        """Give the distribution of the code of each row.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Rows, in the shape that was fitted.

        Returns
        -------
        mean, scale : ndarray of shape (n, code numbers)
            Mean and standard deviation of the normal distribution of each code.
        """
        check_is_fitted(self)
        return Posterior(*evidence.posteriors(self.module_, self._rows(X)))

    def sample(self, n: int = 1, random_state: int | np.random.RandomState | None = None) -> NDArray:
        """Draw rows from the model: codes from the prior, decoded to the mean of their rows.

        Parameters
        ----------
        n : int, default=1
            How many rows.
        random_state : int, RandomState or None, default=None
            Seed of the draw.

        Returns
        -------
        ndarray of shape (n, ...)
            Rows in the shape and the units of the X that was fitted.
        """
        check_is_fitted(self)
        if not isinstance(n, int | np.integer) or n < 1:
            raise ParameterError(f"n must be an integer of at least 1; got {n!r}")
        numbers = int(np.prod(self.code_shape_))
        return self.inverse_transform(check_random_state(random_state).standard_normal((n, numbers)))

    def log_likelihood(
        self, X: ArrayLike, n_samples: int = 100, random_state: int | np.random.RandomState | None = None
    ) -> NDArray:
        """Estimate the log-likelihood of each row by importance weighting.

        The logarithm of the mean of p(x|z) p(z) / q(z|x) over draws of z from the posterior: a lower bound in
        expectation that rises with ``n_samples`` (Burda et al., "Importance weighted autoencoders", 2016).

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Rows, in the shape that was fitted.
        n_samples : int, default=100
            Draws for each row.
        random_state : int, RandomState or None, default=None
            Seed of the draws.

        Returns
        -------
        ndarray of shape (n,)
            Nats; of the scaled rows.
        """
        return self._estimated(evidence.log_likelihoods, X, n_samples, random_state)

    def elbo(
        self, X: ArrayLike, n_samples: int = 1, random_state: int | np.random.RandomState | None = None
    ) -> NDArray:
        """Estimate the evidence lower bound of each row, with the divergence in closed form.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Rows, in the shape that was fitted.
        n_samples : int, default=1
            Draws for each row.
        random_state : int, RandomState or None, default=None
            Seed of the draws.

        Returns
        -------
        ndarray of shape (n,)
            Nats; of the scaled rows.
        """
        return self._estimated(evidence.elbos, X, n_samples, random_state)

    def _estimated(
        self,
        estimate: evidence.Estimate,
        X: ArrayLike,
        n_samples: int,
        random_state: int | np.random.RandomState | None,
    ) -> NDArray:
        rows = self._rows(X)
        if not isinstance(n_samples, int | np.integer) or n_samples < 1:
            raise ParameterError(f"n_samples must be an integer of at least 1; got {n_samples!r}")
        if not hasattr(self.module_.reconstruction, "log_likelihood"):
            raise ParameterError(f"a log-likelihood needs {_LIKELIHOODS}; got {self.reconstruction!r}")
        seed = int(check_random_state(random_state).randint(2**31))
        return estimate(self.module_, rows, n_samples, torch.Generator(rows.device).manual_seed(seed))

    def _rows(self, X: ArrayLike) -> Rows:
        check_is_fitted(self)
        codec = self._codec()
        source = checked_source(self, X, reset=False)
        return Rows(source, self.schema_, self.scaling_, codec.device, source.missing)
