"""Engines give automatic differentiation's gradients and losses, whatever the recipe."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus import Autoencoder, DenseAutoencoder, VariationalAutoencoder
from isthmus.batches import Batch
from isthmus.engines import Autograd, accumulated, engine_for
from isthmus.engines.autograd import rounded_products
from isthmus.engines.chain import Chain, why_not
from isthmus.engines.flat import flattened
from isthmus.errors import ParameterError
from isthmus.module import AutoencoderModule
from isthmus.params import part
from isthmus.parts import (
    L1,
    Bernoulli,
    ContinuousBernoulli,
    Contraction,
    Convolutional,
    Dense,
    Divergence,
    Gaussian,
    GaussianLikelihood,
    GaussianNoise,
    Huber,
    KLSparsity,
    Masking,
    Point,
    SquaredError,
    TopK,
    WinnerTakeAll,
)
from isthmus.recipe import Recipe
from isthmus.records import Schema

WRITTEN_OUT = st.sampled_from(["linear", "relu", "leaky_relu", "tanh", "sigmoid"])
LIKELIHOODS = st.sampled_from([Bernoulli(), ContinuousBernoulli()])
DISTANCES = st.sampled_from([SquaredError(), Huber(0.1), GaussianLikelihood(), GaussianLikelihood(0.5)])
COMBINATIONS = st.sampled_from(
    [
        (Point(), ()),
        (Point(), (L1(0.1),)),
        (Gaussian(), ()),
        (Gaussian(), (Divergence(0.5),)),
        (Gaussian(), (Divergence(0.5, free_bits=0.01),)),
        (Gaussian(), (Divergence(0.5, free_bits=0.01), L1(0.1))),
        (TopK(2), ()),
        (WinnerTakeAll(0.3), (L1(0.1),)),
    ]
)


@st.composite
def recipes(draw):
    """Recipes that the written-out engine covers."""
    bottleneck, penalties = draw(COMBINATIONS)
    reconstruction = draw(st.one_of(LIKELIHOODS, DISTANCES))
    output = draw(WRITTEN_OUT) if not isinstance(reconstruction, Bernoulli | ContinuousBernoulli) else "linear"
    network = Dense(
        draw(st.lists(st.integers(1, 9), max_size=3)),
        activation=draw(WRITTEN_OUT),
        code_activation=draw(WRITTEN_OUT),
        output_activation=output,
    )
    corruption = draw(st.sampled_from([None, GaussianNoise(0.2), Masking(0.3)]))
    return Recipe(draw(st.integers(1, 5)), network, bottleneck, corruption, reconstruction, penalties)


def module_of(recipe, columns=7, seed=0):
    module = AutoencoderModule(recipe, Schema((columns,), recipe.network.layout((columns,))))
    return module.materialise(torch.Generator().manual_seed(seed))


def gradients_by(engine, module, rows, *, seed=1):
    """Losses, error and the gradient of each of the module's parameters, in the module's order."""
    losses, error = engine(Batch(rows), 0.5, torch.Generator().manual_seed(seed))
    return losses, error, [parameter.grad for parameter in module.parameters()]


@settings(max_examples=60, deadline=None)
@given(recipe=recipes(), rows=st.integers(2, 20))
def test_the_written_out_gradients_are_those_of_automatic_differentiation(recipe, rows):
    module = module_of(recipe)
    twin = copy.deepcopy(module)
    batch = torch.rand(rows, 7, generator=torch.Generator().manual_seed(rows))
    ours = gradients_by(Chain(module), module, batch)
    theirs = gradients_by(Autograd(twin), twin, batch)
    assert ours[0].keys() == theirs[0].keys()
    torch.testing.assert_close(list(ours[0].values()), list(theirs[0].values()), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours[1], theirs[1], rtol=1e-5, atol=1e-6)
    for own, other in zip(ours[2], theirs[2], strict=True):
        torch.testing.assert_close(own, other, rtol=1e-5, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(2, 20), at_once=st.integers(1, 12), chain=st.booleans(), weighted=st.booleans())
def test_the_gradient_of_a_batch_in_parts_is_that_of_the_whole(rows, at_once, chain, weighted):
    module = module_of(Recipe(3, Dense((6,)), penalties=(L1(0.1),)))
    engine = Chain(module) if chain else Autograd(module)
    draw = torch.Generator().manual_seed(rows)
    batch = Batch(torch.rand(rows, 7, generator=draw), weights=torch.rand(rows, generator=draw) if weighted else None)
    losses, error = engine(batch, 0.5, torch.Generator())
    whole = [parameter.grad.clone() for parameter in module.parameters()]
    in_parts, error_in_parts = accumulated(engine, list(batch.split(at_once)), 0.5, torch.Generator())
    torch.testing.assert_close(in_parts, losses)
    assert error_in_parts == pytest.approx(error, rel=1e-5)
    torch.testing.assert_close([parameter.grad for parameter in module.parameters()], whole)


@part
class Halved(Gaussian):
    """Inherits the derivative of what it does not do."""

    def __call__(self, features, progress=1.0, generator=None):
        return super().__call__(features / 2, progress, generator)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("bottleneck", [Halved(), Gaussian()])
def test_an_inherited_derivative_and_that_of_equal_rows_are_not_taken_where_they_are_wrong(bottleneck, weighted):
    module = module_of(Recipe(3, Dense((6,)), bottleneck, penalties=(Divergence(0.5),)))
    twin = copy.deepcopy(module)
    draw = torch.Generator().manual_seed(0)
    batch = Batch(torch.rand(9, 7, generator=draw), weights=torch.rand(9, generator=draw) if weighted else None)
    for engine in (Chain(module), Autograd(twin)):
        engine(batch, 0.5, torch.Generator().manual_seed(1))
    for own, other in zip(module.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad, rtol=1e-5, atol=1e-6)


def test_kl_sparsity_is_covered_too():
    network = Dense((6,), code_activation="sigmoid")
    module = module_of(Recipe(3, network, penalties=(KLSparsity(0.5, 0.1),)))
    twin, rows = copy.deepcopy(module), torch.rand(10, 7)
    ours, theirs = gradients_by(Chain(module), module, rows), gradients_by(Autograd(twin), twin, rows)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_batches_of_several_lengths_do_not_disturb_each_other():
    module = module_of(Recipe(2, Dense((5,))))
    engine, twin = Chain(module), copy.deepcopy(module)
    for length in (8, 3, 8, 1, 5, 8):
        batch = torch.rand(length, 7, generator=torch.Generator().manual_seed(length))
        torch.testing.assert_close(
            gradients_by(engine, module, batch)[2], gradients_by(Autograd(twin), twin, batch)[2], rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        (Recipe(2, Dense((5,), activation="gelu")), "not only dense layers"),
        (Recipe(2, Dense((5,)), penalties=(Contraction(),)), "the penalty contraction looks at the network"),
        (Recipe(2, Dense((5,)), Gaussian(), reconstruction=Bernoulli(), n_importance=3), "several draws for each row"),
    ],
)
def test_what_it_does_not_cover_is_left_to_automatic_differentiation_with_the_reason(recipe, reason):
    module = module_of(recipe)
    assert why_not(module) == reason
    assert engine_for(module).name == f"autograd ({reason})"


def test_convolutions_are_left_to_automatic_differentiation():
    recipe = Recipe(None, Convolutional((2,)))
    module = AutoencoderModule(recipe, Schema((6, 6), recipe.network.layout((6, 6))))
    assert why_not(module.materialise(torch.Generator())) != ""


def test_flattened_parameters_keep_their_values_and_layout():
    linear, convolution = torch.nn.Linear(3, 4), torch.nn.Conv2d(2, 5, 3)
    convolution.to(memory_format=torch.channels_last)
    parameters = [*linear.parameters(), *convolution.parameters()]
    before = [(parameter.detach().clone(), parameter.stride()) for parameter in parameters]
    vector, gradients = flattened(parameters)
    assert len(vector) == sum(parameter.numel() for parameter in parameters)
    for parameter, gradient, (values, strides) in zip(parameters, gradients, before, strict=True):
        assert torch.equal(parameter, values)
        assert parameter.stride() == gradient.stride() == strides
    with torch.no_grad():
        vector.zero_()
    assert not any(parameter.any() for parameter in parameters)


def test_history_names_the_engine(rows):
    dense = DenseAutoencoder(2, hidden=(8,), max_epochs=1, random_state=0).fit(rows)
    assert dense.history_[0].engine == "chain"
    unusual = Autoencoder(2, network=Dense((8,), activation="gelu"), max_epochs=1, random_state=0).fit(rows)
    assert unusual.history_[0].engine == "autograd (not only dense layers)"


def test_partial_fit_goes_on_in_a_copy_as_in_the_original(rows):
    """The optimizer stays behind, and the copy's weights are its own."""
    model = VariationalAutoencoder(2, hidden=(8,), max_epochs=1, random_state=0).partial_fit(rows)
    twin, codes = copy.deepcopy(model), model.transform(rows)
    twin.partial_fit(rows)
    assert np.array_equal(model.transform(rows), codes)
    assert not np.array_equal(twin.transform(rows), codes)


@pytest.mark.parametrize(("hidden", "threads"), [((16,), 1), ((2000, 500), 2)])
def test_short_steps_of_dense_networks_take_one_thread(hidden, threads):
    module = module_of(Recipe(3, Dense(hidden)), 30)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with engine_for(module).arithmetic(64):
            assert torch.get_num_threads() == threads
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("recipe", "row"),
    [
        (Recipe(3, Dense((16,), activation="relu")), (30,)),
        (Recipe(2, Dense((16,)), Gaussian(), reconstruction=Bernoulli()), (30,)),
        (Recipe(2, Dense((16,)), Gaussian(), reconstruction=Bernoulli(), n_importance=3), (30,)),
        (Recipe(2, Dense((16,)), penalties=(Contraction(),)), (30,)),
        (Recipe(None, Convolutional((4, 2))), (8, 8)),
    ],
    ids=lambda value: type(getattr(value, "bottleneck", None)).__name__,
)
def test_bfloat16_gives_nearly_the_same_gradient_in_float32(recipe, row):
    module = AutoencoderModule(recipe, Schema(row, recipe.network.layout(row)))
    module.materialise(torch.Generator().manual_seed(0))
    rows = torch.rand(64, *module.schema.tensor_shape, generator=torch.Generator().manual_seed(1))
    taken = {}
    for precision in ("float32", "bfloat16"):
        engine = engine_for(module, "torch", precision=precision)
        losses, _ = engine(Batch(rows), 0.5, torch.Generator().manual_seed(0))
        gradients = torch.cat([parameter.grad.flatten() for parameter in module.parameters()])
        assert gradients.dtype == torch.float32
        taken[precision] = sum(float(loss.detach()) for loss in losses.values()), gradients
    (loss, gradient), (near_loss, near) = taken.values()
    assert not torch.equal(near, gradient)
    assert near_loss == pytest.approx(loss, rel=0.01)
    assert torch.nn.functional.cosine_similarity(near, gradient, dim=0) > 0.99


def test_history_tells_of_another_precision_and_what_follows_the_fit_is_float32(rows):
    model = DenseAutoencoder(2, hidden=(8,), max_epochs=2, random_state=0, precision="bfloat16").fit(rows)
    assert model.history_[0].engine == "autograd (bfloat16)"
    assert all(weight.dtype == torch.float32 for weight in model.module_.parameters())
    twin = copy.deepcopy(model).set_params(precision="float32")
    assert np.array_equal(model.transform(rows), twin.transform(rows))


@pytest.mark.parametrize(
    ("backend", "precision", "words"),
    [
        ("auto", "tf32", "precision must be 'float32' or 'bfloat16' on the device 'cpu'; got 'tf32'"),
        ("fused", "bfloat16", "backend=\"fused\" computes in float32; got precision='bfloat16'"),
    ],
)
def test_a_precision_that_cannot_be_had_is_one_sentence(backend, precision, words):
    with pytest.raises(ParameterError, match=words):
        engine_for(module_of(Recipe(3, Dense((16,))), 30), backend, precision=precision)


def test_products_are_rounded_within_a_block_alone():
    def settings():
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    before = settings()
    with rounded_products():
        assert settings() == (True, True)
    assert settings() == before
