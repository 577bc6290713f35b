"""Recipes, the module they build, batches of rows, and the codec."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from isthmus import Autoencoder, ConvolutionalAutoencoder, DenseAutoencoder
from isthmus.batches import Batch
from isthmus.codec import Codec
from isthmus.errors import ModelFileError, ParameterError
from isthmus.legal import Number
from isthmus.module import AutoencoderModule
from isthmus.params import param, part
from isthmus.parts import (
    AbsoluteError,
    Bernoulli,
    ContinuousBernoulli,
    Convolutional,
    Dense,
    Huber,
    Point,
    SquaredError,
)
from isthmus.recipe import Recipe, network_for
from isthmus.records import Facts, Schema
from isthmus.rows import Rows, channels_first, channels_last, predictions_size
from isthmus.scaling import Scaling, learn_scaling
from isthmus.sources import ArrayRows, arrays

CPU = torch.device("cpu")
TABLE = Schema((6,), (6,))
IMAGES = Schema((8, 9), (8, 9, 1))
PICTURES = Schema((8, 9, 3), (8, 9, 3))
UNSCALED = Scaling(torch.zeros(1).double(), torch.ones(1).double(), 0.0, 1.0)
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, max_side=4)


@part
class CodeLength:
    """Sum of the squares of a code."""

    kind = "penalty"
    name = "length"
    weight: float = param(1.0, Number(0), "How much.", positional=True)

    def __call__(self, run):
        return self.weight * run.latent.code.flatten(1).square().sum(dim=1).mean()


@part
class Blackout:
    """Every number becomes zero."""

    kind = "corruption"

    def __call__(self, rows, generator):
        return torch.zeros_like(rows)


def materialised(recipe, schema=TABLE, seed=0):
    return AutoencoderModule(recipe, schema).materialise(torch.Generator().manual_seed(seed))


def losses_of(module, rows, *, training=False):
    generator = torch.Generator().manual_seed(0)
    inputs = module.corrupted(Batch(rows), generator) if training else rows
    return module.losses(Batch(rows), inputs, 0.0, generator, training=training)


def encoded(codec, X):
    return np.concatenate(list(codec.encoded([X])))


def decoded(codec, codes):
    return np.concatenate(list(codec.decoded(codes)))


def random_rows(schema, n=5, seed=0):
    return torch.from_numpy(np.random.RandomState(seed).rand(n, *schema.tensor_shape).astype(np.float32))


# ---------------------------------------------------------------- recipe


def test_a_recipe_defaults_to_dense_layers_a_point_and_the_squared_error():
    recipe = Recipe(3)
    assert (recipe.network, recipe.bottleneck) == (Dense(), Point())
    assert (recipe.corruption, recipe.reconstruction, recipe.penalties) == (None, SquaredError(), ())


@pytest.mark.parametrize("network", [Dense(output_activation="sigmoid"), Convolutional(output_activation="relu")])
def test_bernoulli_refuses_an_output_activation(network):
    with pytest.raises(ParameterError) as caught:
        Recipe(3, network, reconstruction=Bernoulli())
    message = str(caught.value)
    assert "ernoulli" in message
    assert "output_activation must be 'linear'" in message
    assert network.output_activation in message
    assert "\n" not in message


@pytest.mark.parametrize("reconstruction", ["bernoulli", Bernoulli()])
@pytest.mark.parametrize("cls", [DenseAutoencoder, ConvolutionalAutoencoder])
def test_fit_refuses_bernoulli_with_an_output_activation(cls, reconstruction):
    model = cls(reconstruction=reconstruction, output_activation="sigmoid")
    with pytest.raises(ParameterError, match="output_activation must be 'linear'"):
        model.fit(np.random.RandomState(0).rand(10, 8, 8))


def test_the_other_losses_take_any_output_activation():
    for loss in (SquaredError(), AbsoluteError()):
        assert Recipe(3, Dense(output_activation="sigmoid"), reconstruction=loss).reconstruction == loss


def test_an_estimators_network_is_made_from_its_parameters():
    owner = DenseAutoencoder(2, hidden=(5, 4), activation="tanh", output_activation="relu")
    expected = Dense((5, 4), activation="tanh", output_activation="relu")
    assert network_for(owner, Facts((9,), 0.0, 1.0)) == expected


def test_an_estimators_own_network_is_taken_as_it_is():
    network = Dense((7,), output_activation="tanh")
    assert network_for(Autoencoder(2, network=network), Facts((9,), 0.0, 1.0)) is network


@pytest.mark.parametrize(
    ("low", "high", "reconstruction", "output"),
    [
        (0.0, 1.0, "squared", "sigmoid"),
        (0.2, 0.8, Huber(0.5), "sigmoid"),
        (-0.1, 1.0, "squared", "linear"),
        (0.0, 1.1, "squared", "linear"),
        (0.0, 1.0, "bernoulli", "linear"),
        (0.0, 1.0, ContinuousBernoulli(), "linear"),
    ],
)
def test_an_open_output_is_a_sigmoid_within_0_and_1_where_the_loss_brings_none(low, high, reconstruction, output):
    model = DenseAutoencoder(2, reconstruction=reconstruction)
    assert network_for(model, Facts((9,), low, high)).output_activation == output


def test_the_articles_convolutional_network_ends_linear_on_pixels():
    facts = Facts((28, 28), 0.0, 1.0)
    assert network_for(ConvolutionalAutoencoder(), facts, Convolutional).output_activation == "linear"


# ---------------------------------------------------------------- building


def test_a_module_is_built_without_memory():
    huge = AutoencoderModule(Recipe(100_000, Dense((1_000_000,))), Schema((10_000_000,), (10_000_000,)))
    assert {parameter.device.type for parameter in huge.parameters()} == {"meta"}
    assert huge.code_shape == (100_000,)


def test_a_module_is_built_without_random_numbers():
    before = torch.get_rng_state()
    materialised(Recipe(3))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("recipe", "schema", "shape"),
    [
        (Recipe(3), TABLE, (3,)),
        (Recipe(3), Schema((8, 9), (72,)), (3,)),
        (Recipe(None, Convolutional((4, 2))), IMAGES, (2, 3, 2)),
        (Recipe(5, Convolutional((4, 2))), IMAGES, (5,)),
        (Recipe(None, Convolutional((4, 2))), Schema((50,), (50, 1)), (13, 2)),
    ],
)
def test_the_code_shape_has_its_channels_last(recipe, schema, shape):
    module = materialised(recipe, schema)
    assert module.code_shape == shape
    assert module.code_tensor_shape == (shape[-1], *shape[:-1])
    assert module.encode(random_rows(schema)).shape == (5, *module.code_tensor_shape)


@pytest.mark.parametrize(
    ("recipe", "schema"), [(Recipe(3), TABLE), (Recipe(None, Convolutional((4, 2))), PICTURES)], ids=["dense", "conv"]
)
def test_materialised_weights_are_real_finite_and_repeatable(recipe, schema):
    first, second, other = (materialised(recipe, schema, seed).state_dict() for seed in (0, 0, 1))
    for name, value in first.items():
        assert value.device == CPU
        assert torch.isfinite(value).all()
        assert torch.equal(value, second[name])
    assert any(not torch.equal(value, other[name]) for name, value in first.items())


def test_image_networks_hold_their_weights_with_the_channels_last():
    module = materialised(Recipe(None, Convolutional((4, 2))), PICTURES)
    assert module.encoder[0].weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("recipe", "schema"), [(Recipe(3), TABLE), (Recipe(None, Convolutional((4, 2))), PICTURES)], ids=["dense", "conv"]
)
def test_weights_can_be_loaded_into_a_module_without_memory(recipe, schema):
    source = materialised(recipe, schema)
    target = AutoencoderModule(recipe, schema).load_weights(source.state_dict())
    rows = random_rows(schema)
    assert torch.equal(target.encode(rows), source.encode(rows))


def test_weights_of_another_network_are_refused():
    weights = materialised(Recipe(3)).state_dict()
    with pytest.raises(ModelFileError, match="tensors are not those of the network"):
        AutoencoderModule(Recipe(3, Dense((4,))), TABLE).load_weights(weights)
    with pytest.raises(ModelFileError, match=r"its tensor .* of shape \(3, 64\)"):
        AutoencoderModule(Recipe(2), TABLE).load_weights(weights)
    double = {name: value.double() for name, value in weights.items()}
    with pytest.raises(ModelFileError, match="float64"):
        AutoencoderModule(Recipe(3), TABLE).load_weights(double)


# ---------------------------------------------------------------- encode, decode, losses


@pytest.mark.parametrize(
    ("recipe", "schema"), [(Recipe(3), TABLE), (Recipe(None, Convolutional((4, 2))), PICTURES)], ids=["dense", "conv"]
)
def test_encoding_is_deterministic_and_decoding_answers_in_the_rows_shape(recipe, schema):
    module, rows = materialised(recipe, schema), random_rows(schema)
    codes = module.encode(rows)
    assert torch.equal(codes, module.encode(rows))
    assert module.decode(codes).shape == rows.shape


def test_encoding_is_the_encoder_and_decoding_is_the_decoder_behind_the_link():
    module, rows = materialised(Recipe(3, reconstruction=Bernoulli())), random_rows(TABLE)
    codes = module.encode(rows)
    assert torch.equal(codes, module.encoder(rows))
    assert torch.equal(module.decode(codes), module.decoder(codes).sigmoid())


def test_a_plain_recipe_has_one_loss():
    module, rows = materialised(Recipe(3)), random_rows(TABLE)
    losses, error = losses_of(module, rows, training=True)
    assert list(losses) == ["reconstruction"]
    expected = (module.decode(module.encode(rows)) - rows).square().sum()
    torch.testing.assert_close(losses["reconstruction"], expected / 5)
    assert error == pytest.approx(expected.item(), rel=1e-6)


def test_penalties_stand_beside_the_reconstruction_under_their_names():
    module, rows = materialised(Recipe(3, penalties=(CodeLength(2.0),))), random_rows(TABLE)
    losses, _ = losses_of(module, rows)
    assert list(losses) == ["reconstruction", "length"]
    torch.testing.assert_close(losses["length"], 2 * module.encode(rows).square().sum(dim=1).mean())


def test_the_error_is_measured_behind_the_link():
    module, rows = materialised(Recipe(3, reconstruction=Bernoulli())), random_rows(TABLE)
    losses, error = losses_of(module, rows)
    expected = (module.decode(module.encode(rows)) - rows).square().sum()
    assert error == pytest.approx(expected.item(), rel=1e-6)
    torch.testing.assert_close(losses["reconstruction"], Bernoulli().loss(module.decoder(module.encode(rows)), rows))


def test_rows_are_corrupted_in_training_only_and_compared_with_the_clean_ones():
    module, rows = materialised(Recipe(3, corruption=Blackout())), random_rows(TABLE)
    dark = module.decode(module.encode(torch.zeros_like(rows)))
    training, _ = losses_of(module, rows, training=True)
    validation, _ = losses_of(module, rows)
    torch.testing.assert_close(training["reconstruction"], SquaredError().loss(dark, rows))
    clean = module.decode(module.encode(rows))
    torch.testing.assert_close(validation["reconstruction"], SquaredError().loss(clean, rows))


@pytest.mark.parametrize(
    ("recipe", "schema"),
    [(Recipe(3), TABLE), (Recipe(None, Convolutional((4, 2), activation="tanh")), PICTURES)],
    ids=["dense", "conv"],
)
def test_every_parameter_gets_a_gradient(recipe, schema):
    module = materialised(recipe, schema)
    losses, _ = losses_of(module, random_rows(schema, 20), training=True)
    sum(losses.values()).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in module.parameters())


# ---------------------------------------------------------------- shapes and batches


@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=4, max_side=5)))
def test_channels_go_first_and_come_back_last(rows):
    first = channels_first(torch.from_numpy(rows), rows.shape[1:])
    assert first.shape == (len(rows), rows.shape[-1], *rows.shape[1:-1])
    np.testing.assert_array_equal(first.numpy(), np.moveaxis(rows, -1, 1))
    np.testing.assert_array_equal(channels_last(first, rows.shape[1:]).numpy(), rows)


@given(SHAPES, st.integers(1, 4))
def test_a_flat_row_is_seen_in_its_layout_and_given_back_flat(layout, n):
    flat = torch.arange(n * math.prod(layout)).reshape(n, -1)
    first = channels_first(flat, layout)
    assert first.shape == (n, *Schema(layout, layout).tensor_shape)
    assert torch.equal(channels_last(first, (math.prod(layout),)), flat)


@settings(deadline=None)
@given(n=st.integers(1, 40), batch_size=st.integers(1, 50), block_bytes=st.integers(1, 2_000))
def test_batches_cover_each_row_once_and_the_last_short_one_is_used(n, batch_size, block_bytes):
    X = np.arange(40 * 3, dtype=np.float32).reshape(40, 3)
    order = np.random.RandomState(n).permutation(40)[:n]
    rows = Rows(ArrayRows(X), Schema((3,), (3,)), UNSCALED, CPU)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "BLOCK_BYTES", block_bytes)
        batches = list(rows.batches(order, batch_size))
    np.testing.assert_array_equal(torch.cat([batch.rows for batch in batches]).numpy(), X[order])
    assert [len(batch) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    assert len(batches) == -(-n // batch_size)


@settings(deadline=None)
@given(
    n=st.integers(1, 40),
    batch_size=st.integers(1, 50),
    skip=st.integers(0, 40),
    gaps=st.booleans(),
    weighted=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64, np.uint8, np.bool_]),
)
def test_rows_that_lie_on_the_device_give_the_same_batches(n, batch_size, skip, gaps, weighted, dtype):
    random = np.random.RandomState(n)
    X, order = (3 * random.rand(40, 3)).astype(dtype), random.permutation(40)[:n]
    if gaps and X.dtype.kind == "f":
        X[random.rand(40, 3) < 0.2] = np.nan
    weights = random.rand(40).astype(np.float32) if weighted else None
    read = Rows(ArrayRows(X), Schema((3,), (3,)), UNSCALED, CPU, gaps, weights)
    lying = dataclasses.replace(read)
    assert lying.resident is None
    vars(lying)["resident"] = torch.from_numpy(X)
    pairs = zip(lying.batches(order, batch_size, skip), read.batches(order, batch_size, skip), strict=True)
    for own, other in pairs:
        for name in ("rows", "present", "weights"):
            torch.testing.assert_close(getattr(own, name), getattr(other, name), rtol=0, atol=0)


def test_batches_are_scaled_float32_tensors_with_the_channels_first():
    X = np.random.RandomState(0).randint(0, 256, (7, 4, 5, 3)).astype(np.uint8)
    source = ArrayRows(X)
    rows = Rows(source, Schema((4, 5, 3), (4, 5, 3)), learn_scaling(source, np.arange(7), "auto"), CPU)
    (batch,) = rows.batches(np.arange(7), 10)
    assert batch.rows.dtype == torch.float32
    np.testing.assert_allclose(batch.rows.numpy(), np.moveaxis(X, -1, 1) / 255, rtol=1e-6)


def test_a_batch_is_a_copy_of_the_rows():
    X = np.ones((7, 3), np.float32)
    for batch in Rows(ArrayRows(X), Schema((3,), (3,)), UNSCALED, CPU).batches(np.arange(7), 2):
        batch.rows.zero_()
    np.testing.assert_array_equal(X, 1)


def test_prediction_takes_fewer_rows_at_once_the_larger_they_are():
    assert predictions_size(Schema((3,), (3,))) == 8192
    assert predictions_size(Schema((2**15,), (2**15,))) == 16
    assert predictions_size(Schema((2**25,), (2**25,))) == 1


# ---------------------------------------------------------------- codec


@pytest.mark.parametrize("schema", [TABLE, PICTURES], ids=["table", "pictures"])
def test_the_codec_answers_in_the_shape_and_units_of_the_rows(schema):
    network = Dense() if schema is TABLE else Convolutional((4, 2))
    module = materialised(Recipe(None if schema is PICTURES else 3, network), schema).eval()
    X = np.random.RandomState(0).rand(11, *schema.row_shape) * 500 + 1e4
    way = learn_scaling(ArrayRows(X), np.arange(11), "standard")
    codec = Codec(module, way, CPU)
    codes = encoded(codec, X)
    assert codes.shape == (11, math.prod(module.code_shape))
    assert codes.dtype == np.float32
    rebuilt = decoded(codec, codes)
    assert rebuilt.shape == X.shape
    assert 9e3 < rebuilt.mean() < 12e3
    with torch.no_grad():
        scaled = module.decode(module.encode(channels_first(way.apply(torch.from_numpy(X)), schema.layout)))
    expected = way.undo(channels_last(scaled, (math.prod(schema.row_shape),))).numpy().reshape(X.shape)
    np.testing.assert_allclose(rebuilt, expected, rtol=1e-6)


def test_a_feature_map_is_flattened_with_its_channels_last():
    module = materialised(Recipe(None, Convolutional((4, 2))), IMAGES).eval()
    X = np.random.RandomState(0).rand(3, 8, 9).astype(np.float32)
    codes = encoded(Codec(module, UNSCALED, CPU), X)
    maps = module.encode(torch.from_numpy(X)[:, None]).detach().numpy()
    np.testing.assert_allclose(codes.reshape(3, *module.code_shape), np.moveaxis(maps, 1, -1), rtol=1e-5, atol=1e-6)


def test_rows_are_encoded_alike_alone_and_among_thousands():
    module = materialised(Recipe(3)).eval()
    codec = Codec(module, UNSCALED, CPU)
    X = np.random.RandomState(0).rand(9_000, 6).astype(np.float32)
    codes = encoded(codec, X)
    np.testing.assert_array_equal(codes, encoded(codec, X))
    for row in (0, 8191, 8192, 8999):
        np.testing.assert_allclose(encoded(codec, X[row : row + 1])[0], codes[row], rtol=1e-5, atol=1e-6)


def test_rebuilt_rows_come_in_batches_beside_the_rows():
    codec = Codec(materialised(Recipe(3)).eval(), UNSCALED, CPU)
    X = np.random.RandomState(0).rand(8_700, 6).astype(np.float32)
    pairs = list(codec.rebuilt([X]))
    assert [len(rows) for rows, _ in pairs] == [8192, 508]
    np.testing.assert_array_equal(np.concatenate([rows for rows, _ in pairs]), X)
    np.testing.assert_array_equal(np.concatenate([rebuilt for _, rebuilt in pairs]), decoded(codec, encoded(codec, X)))


def test_the_codec_leaves_rows_and_codes_alone():
    codec = Codec(materialised(Recipe(3)).eval(), UNSCALED, CPU)
    X = np.random.RandomState(0).rand(5, 6).astype(np.float32)
    X.flags.writeable = False
    codes = encoded(codec, X)
    codes.flags.writeable = False
    decoded(codec, codes)
