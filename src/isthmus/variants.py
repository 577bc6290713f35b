"""The estimators: each is a function from its parameters to a recipe."""

from __future__ import annotations

import math

from isthmus import hyperparameters, parts
from isthmus.estimator import BaseAutoencoder
from isthmus.params import documented
from isthmus.parts.protocols import Bottleneck, Corruption, Penalty, Reconstruction
from isthmus.parts.reconstructions import UNIT_RANGE
from isthmus.pretraining import pretrain
from isthmus.recipe import Recipe, network_for, recipe_for, reconstruction_of
from isthmus.records import Facts
from isthmus.training import Trainer


@documented
class Autoencoder(hyperparameters.Parts, BaseAutoencoder):
    """Autoencoder made of any parts.

    Attributes
    ----------
    history_ : list of Epoch
        One record an epoch.
    code_shape_ : tuple of int
        Shape of the code of a row, channels last.
    encoder_, decoder_ : Module
        Torch modules on scaled rows and on codes.
    module_ : AutoencoderModule
        Both of them, with the bottleneck between.
    scaling_ : Scaling
        What was learned about the units of X.
    held_out_ : ndarray of int
        The rows of X that were held out to validate on.
    n_iter_, n_features_in_ : int
        Epochs done, columns of X.
    feature_names_in_ : ndarray of str
        Names of the columns of X, if it has any.

    Examples
    --------
    >>> import isthmus
    >>> from isthmus.parts import Dense, Huber
    >>> X, _ = isthmus.datasets.load_digits()
    >>> model = isthmus.Autoencoder(8, network=Dense((32,)), reconstruction=Huber(0.5), max_epochs=1, random_state=0)
    >>> model.fit_transform(X).shape
    (1797, 8)
    """

    def recipe(self, facts: Facts) -> Recipe:
        """Give the parts as they are."""
        bottleneck, penalties = self.bottleneck or parts.Point(), tuple(self.penalties)
        return recipe_for(self, facts, bottleneck=bottleneck, corruption=self.corruption, penalties=penalties)


@documented
class DenseAutoencoder(hyperparameters.Dense, BaseAutoencoder):
    """Autoencoder of fully connected layers.

    On images it is the article's network, 784-128-64-32 and back with a sigmoid at the end, but for the code,
    which is linear: ``code_activation="relu"`` makes it the article's.

    Examples
    --------
    >>> import isthmus
    >>> X, _ = isthmus.datasets.load_digits()
    >>> model = isthmus.DenseAutoencoder(code_size=8, max_epochs=1, random_state=0).fit(X)
    >>> model.transform(X).shape, model.reconstruct(X).shape
    ((1797, 8), (1797, 8, 8))
    """

    def recipe(self, facts: Facts) -> Recipe:
        """Dense layers, nothing else."""
        return recipe_for(self, facts)


@documented
class ConvolutionalAutoencoder(hyperparameters.Convolutional, BaseAutoencoder):
    """Autoencoder of convolutions, pooling and up-sampling.

    The defaults are the article's network: 3x3 convolutions with 16 channels and 1, each with relu and 2x2
    max-pooling, mirrored with nearest up-sampling, the last layer linear. On 28x28 images the code is 7x7x1.

    Examples
    --------
    >>> import isthmus
    >>> X, _ = isthmus.datasets.load_digits()
    >>> model = isthmus.ConvolutionalAutoencoder(max_epochs=1, random_state=0).fit(X)
    >>> model.code_shape_, model.transform(X).shape
    ((2, 2, 1), (1797, 4))
    """

    def recipe(self, facts: Facts) -> Recipe:
        """Convolutions, nothing else."""
        return recipe_for(self, facts, network_for(self, facts, parts.Convolutional))


@documented
class DenoisingAutoencoder(hyperparameters.Denoising, BaseAutoencoder):
    """Autoencoder that learns to rebuild clean rows from corrupted ones.

    The noise is new in every epoch; nothing is corrupted when rows are encoded or held-out rows are measured,
    except for ``denoising_loss`` in ``history_``.

    Examples
    --------
    >>> import isthmus
    >>> X, _ = isthmus.datasets.load_digits()
    >>> model = isthmus.DenoisingAutoencoder(8, noise="masking", max_epochs=1, random_state=0).fit(X)
    >>> model.history_[-1].denoising_loss > 0
    True
    """

    def recipe(self, facts: Facts) -> Recipe:
        """A corruption before the encoder."""
        return recipe_for(self, facts, corruption=self._corruption(reconstruction_of(self, facts)))

    def _corruption(self, reconstruction: Reconstruction) -> Corruption:
        if self.noise == "gaussian":
            return parts.GaussianNoise(self.noise_level, clip=isinstance(reconstruction, UNIT_RANGE))
        kind = parts.Masking if self.noise == "masking" else parts.SaltAndPepper
        return kind(self.noise_level)

    def _learn(self, trainer: Trainer, *, once: bool) -> None:
        if self.pretrain and not (trainer.state.history or trainer.state.step):
            pretrain(trainer)
        super()._learn(trainer, once=once)


@documented
class SparseAutoencoder(hyperparameters.Sparse, BaseAutoencoder):
    """Autoencoder whose code may be wider than its rows, with few units active at once.

    `isthmus.metrics.mean_active_units` and `isthmus.metrics.dead_fraction` tell how sparse the codes are.

    Examples
    --------
    >>> import isthmus
    >>> X, _ = isthmus.datasets.load_digits()
    >>> model = isthmus.SparseAutoencoder(100, sparsity="top_k", n_active=5, max_epochs=1, random_state=0).fit(X)
    >>> bool(((model.transform(X) != 0).sum(axis=1) <= 5).all())
    True
    """

    def recipe(self, facts: Facts) -> Recipe:
        """A penalty on the code, or a bottleneck that keeps few units."""
        code_activation = self.code_activation or {"l1": "relu", "kl": "sigmoid"}.get(self.sparsity, "linear")
        # A sigmoid behind few active units leaves most of the others without a gradient: they die.
        output = "linear" if self.sparsity in ("top_k", "winner_take_all") else None
        network = network_for(self, facts, code_activation=code_activation, output_activation=output)
        bottleneck, penalties = self._sparsity()
        return recipe_for(self, facts, network, bottleneck=bottleneck, penalties=penalties)

    def _sparsity(self) -> tuple[Bottleneck, tuple[Penalty, ...]]:
        if self.sparsity == "l1":
            return parts.Point(), (parts.L1(self.sparsity_weight),)
        if self.sparsity == "kl":
            return parts.Point(), (parts.KLSparsity(self.sparsity_weight, self.target_activation),)
        if self.sparsity == "top_k":
            return parts.TopK(self.n_active), (parts.Revival(self.sparsity_weight),)
        return parts.WinnerTakeAll(self.target_activation), ()


@documented
class ContractiveAutoencoder(hyperparameters.Contractive, BaseAutoencoder):
    """Autoencoder whose code moves little when a row does: the encoder's Jacobian is penalised.

    Examples
    --------
    >>> import isthmus
    >>> X, _ = isthmus.datasets.load_digits()
    >>> model = isthmus.ContractiveAutoencoder(8, max_epochs=1, random_state=0).fit(X)
    >>> model.contraction_method_
    'closed'
    """

    def recipe(self, facts: Facts) -> Recipe:
        """The penalty on the Jacobian."""
        return recipe_for(self, facts, penalties=(parts.Contraction(self.contraction),))

    @property
    def contraction_method_(self) -> str:
        """How the norm of the Jacobian is computed: ``"closed"``, ``"autograd"`` or ``"hutchinson"``."""
        return parts.Contraction(self.contraction).method_for(self.encoder_, math.prod(self.code_shape_))
