"""Networks that are lists of layers: each layer against plain numpy, and the whole as a part like any other."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import isthmus
from isthmus import parts
from isthmus.errors import DataError, ParameterError
from isthmus.parts import (
    Activation,
    AveragePooling,
    BatchNormalization,
    Convolution,
    Cropping,
    Dropout,
    Flatten,
    GaussianNoise,
    Layers,
    Linear,
    Masking,
    MaxPooling,
    Noise,
    Reshape,
    TransposedConvolution,
    UpSampling,
    ZeroPadding,
)

QUICK = settings(deadline=None, max_examples=40)
PAIRS = st.tuples(st.integers(1, 4), st.integers(1, 4))
PADDINGS = st.sampled_from(["same", "valid"])


def made(layer, shape):
    """Build a layer for rows of a shape, with random weights."""
    network = nn.Sequential(*layer.build(shape))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in network.state_dict().values():
            value.copy_(torch.rand(value.shape, generator=generator) + 0.1)
    return network.eval()


def answer(network, rows):
    """Send rows with the channels last through modules that have them first."""
    with torch.no_grad():
        return network(torch.from_numpy(rows).movedim(-1, 1)).movedim(1, -1).numpy()


def images(*shape):
    return np.random.default_rng(1).normal(size=(2, *shape)).astype(np.float32)


def starts(side, width, stride, padding):
    """Where a window starts: TensorFlow pads half of what is missing, rounded down, before the image."""
    if padding == "valid":
        return range(0, side - width + 1, stride)
    places = math.ceil(side / stride)
    before = max((places - 1) * stride + width - side, 0) // 2
    return range(-before, places * stride - before, stride)


# ---------------------------------------------------------------- windows


@given(PAIRS, PAIRS, PAIRS, PADDINGS, st.sampled_from([1, 2]), st.tuples(st.integers(7, 11), st.integers(7, 11)))
@QUICK
def test_a_convolution_sums_over_its_window_as_tensorflow_places_it(kernel, stride, dilation, padding, groups, sides):
    layer = Convolution(4, kernel=kernel, stride=stride, dilation=dilation, padding=padding, groups=groups)
    rows, reach = images(*sides, 2), [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if padding == "valid" and (reach[0] > sides[0] or reach[1] > sides[1]):
        with pytest.raises(ParameterError, match="Convolution does not fit into images"):
            layer.shape((*sides, 2))
        return
    network = made(layer, (*sides, 2))
    weight, bias = (value.numpy() for value in network.state_dict().values())
    rows_at, columns_at = (starts(*place, padding) for place in zip(sides, reach, stride, strict=True))
    wide = np.pad(rows, ((0, 0), (20, 20), (20, 20), (0, 0)))
    expected = np.zeros((2, len(rows_at), len(columns_at), 4)) + bias
    for (i, top), (j, left) in itertools.product(enumerate(rows_at), enumerate(columns_at)):
        cells = wide[:, 20 + top : 20 + top + reach[0] : dilation[0], 20 + left : 20 + left + reach[1] : dilation[1]]
        for channel in range(4):
            seen = cells if groups == 1 else cells[..., channel // 2 : channel // 2 + 1]
            expected[:, i, j, channel] += np.einsum("nhwc,chw->n", seen, weight[channel])
    assert layer.shape((*sides, 2)) == expected.shape[1:]
    np.testing.assert_allclose(answer(network, rows), expected, atol=1e-4)


@given(PAIRS, PAIRS, PADDINGS, st.tuples(st.integers(1, 5), st.integers(1, 5)), st.booleans())
@QUICK
def test_a_transposed_convolution_is_the_transpose_of_the_convolution(kernel, stride, padding, sides, dilated):
    settings = {"kernel": kernel, "padding": padding}
    settings |= {"stride": 1, "dilation": stride} if dilated else {"stride": stride}
    up = TransposedConvolution(3, bias=False, **settings)
    large, down = up.shape((*sides, 2)), Convolution(2, bias=False, **settings)
    assert down.shape(large)[:2] == sides
    raising, falling = made(up, (*sides, 2)), made(down, large)
    nn.utils.vector_to_parameters(nn.utils.parameters_to_vector(raising.parameters()), falling.parameters())
    small, big = images(*sides, 2), images(*large)
    assert answer(raising, small).shape[1:] == large
    assert np.sum(answer(raising, small) * big) == pytest.approx(np.sum(small * answer(falling, big)), abs=1e-2)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("extra", [0, 1, 2])
def test_rows_that_are_left_at_the_end_have_the_bias_where_no_window_reaches(padding, extra):
    layer = TransposedConvolution(1, kernel=3, stride=3, padding=padding, extra=(extra, 0))
    high = (4 - 1) * 3 + 3 - (2 if padding == "same" else 0) + extra
    assert layer.shape((4, 4, 2))[0] == high == answer(made(layer, (4, 4, 2)), images(4, 4, 2)).shape[1]
    with pytest.raises(ParameterError, match="extra must be below the stride"):
        TransposedConvolution(1, stride=3, extra=(3, 0)).shape((4, 4, 2))


@given(PAIRS, PAIRS, PADDINGS, st.tuples(st.integers(4, 9), st.integers(4, 9)), st.sampled_from(["max", "mean"]))
@QUICK
def test_pooling_sees_only_what_is_within_the_image(size, stride, padding, sides, how):
    layer = {"max": MaxPooling, "mean": AveragePooling}[how](size, stride=stride, padding=padding)
    rows = images(*sides, 2)
    rows_at, columns_at = (starts(*place, padding) for place in zip(sides, size, stride, strict=True))
    expected = [
        [
            getattr(rows[:, max(top, 0) : top + size[0], max(left, 0) : left + size[1]], how)(axis=(1, 2))
            for left in columns_at
        ]
        for top in rows_at
    ]
    expected = np.array(expected).transpose(2, 0, 1, 3)
    assert layer.shape((*sides, 2)) == expected.shape[1:]
    np.testing.assert_allclose(answer(made(layer, (*sides, 2)), rows), expected, atol=1e-6)


@pytest.mark.parametrize("factor", range(1, 65))
def test_nearest_up_sampling_repeats_every_pixel(factor):
    rows = images(3, 7, 1)
    expected = rows.repeat(factor, axis=1).repeat(2, axis=2)
    assert UpSampling((factor, 2)).shape((3, 7, 1)) == expected.shape[1:]
    np.testing.assert_array_equal(answer(made(UpSampling((factor, 2)), (3, 7, 1)), rows), expected)


@pytest.mark.parametrize("factors", [(1, 2), (2, 2), (3, 5)])
def test_bilinear_up_sampling_takes_pixels_by_their_centres(factors):
    rows = images(4, 3, 2)
    expected = rows
    for axis, factor in enumerate(factors, start=1):
        side = expected.shape[axis]
        at = (np.arange(side * factor) + 0.5) / factor - 0.5
        expected = np.apply_along_axis(lambda line, at=at: np.interp(at, np.arange(len(line)), line), axis, expected)
    layer = UpSampling(factors, interpolation="bilinear")
    np.testing.assert_allclose(answer(made(layer, (4, 3, 2)), rows), expected, atol=1e-5)


def test_frames():
    rows = images(6, 7, 2)
    np.testing.assert_array_equal(answer(made(Cropping((1, 2, 0, 3)), (6, 7, 2)), rows), rows[:, 1:4, :4])
    expected = np.pad(rows, ((0, 0), (1, 2), (0, 3), (0, 0)))
    np.testing.assert_array_equal(answer(made(ZeroPadding((1, 2, 0, 3)), (6, 7, 2)), rows), expected)
    assert ZeroPadding((0, 0, 0, 0)).build((6, 7, 2)) == []
    with pytest.raises(ParameterError, match="Cropping does not fit"):
        Cropping((3, 3, 0, 0)).shape((6, 7, 2))


@pytest.mark.parametrize("layer", [Convolution(), TransposedConvolution(), MaxPooling(), UpSampling(), Cropping()])
def test_layers_on_images_refuse_what_is_none(layer):
    with pytest.raises(ParameterError, match=rf"{type(layer).__name__} needs images.*\(12,\)"):
        layer.shape((12,))


def test_groups_must_divide_the_channels():
    with pytest.raises(ParameterError, match="groups must divide"):
        Convolution(4, groups=2).shape((5, 5, 3))


# ---------------------------------------------------------------- any rows


def test_flat_and_reshaped_rows_keep_the_order_of_channels_last():
    rows = images(4, 3, 2)
    np.testing.assert_array_equal(answer(made(Flatten(), (4, 3, 2)), rows), rows.reshape(2, -1))
    layer = Reshape((2, -1, 3))
    assert layer.shape((4, 3, 2)) == (2, 4, 3)
    np.testing.assert_array_equal(answer(made(layer, (4, 3, 2)), rows), rows.reshape(2, 2, 4, 3))
    for target in ((5,), (-1, -1), (0, -1), (7, -1)):
        with pytest.raises(ParameterError, match="target must have 24 numbers"):
            Reshape(target).shape((4, 3, 2))


@pytest.mark.parametrize("shape", [(5,), (4, 5), (4, 3, 5)])
def test_a_linear_layer_works_on_the_last_axis(shape):
    network = made(Linear(3), shape)
    weight, bias = (value.numpy() for value in network.state_dict().values())
    rows = images(*shape)
    np.testing.assert_allclose(answer(network, rows), rows @ weight.T + bias, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "formula"),
    [
        (Activation("leaky_relu", slope=0.2), lambda x: np.where(x > 0, x, 0.2 * x)),
        (Activation("leaky_relu"), lambda x: np.where(x > 0, x, 0.01 * x)),
        (Activation("elu", slope=0.5), lambda x: np.where(x > 0, x, 0.5 * np.expm1(x))),
        (Activation("relu6"), lambda x: np.clip(x, 0, 6)),
        (Activation("softsign"), lambda x: x / (1 + np.abs(x))),
        (Activation("exponential"), np.exp),
        (Activation("softmax"), lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)),
        (Activation("linear"), lambda x: x),
    ],
    ids=lambda value: str(value) if isinstance(value, Activation) else "formula",
)
def test_activations(layer, formula):
    rows = 3 * images(3, 2, 4)
    np.testing.assert_allclose(answer(made(layer, (3, 2, 4)), rows), formula(rows), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(5,), (4, 3, 5)])
def test_batch_normalization_is_by_the_batch_in_training_and_by_running_means_afterwards(shape):
    network = made(BatchNormalization(momentum=0.25, epsilon=1e-3), shape)
    state = {name.removeprefix("0."): value.numpy().copy() for name, value in network.state_dict().items()}
    rows, axes = images(*shape), tuple(range(len(shape)))
    rebuilt = (rows - state["running_mean"]) / np.sqrt(state["running_var"] + 1e-3) * state["weight"] + state["bias"]
    np.testing.assert_allclose(answer(network, rows), rebuilt, atol=1e-5)
    mean, variance = rows.mean(axis=axes), rows.var(axis=axes)
    by_batch = (rows - mean) / np.sqrt(variance + 1e-3) * state["weight"] + state["bias"]
    np.testing.assert_allclose(answer(network.train(), rows), by_batch, atol=1e-4)
    moved = network.state_dict()["0.running_mean"].numpy()
    np.testing.assert_allclose(moved, 0.75 * state["running_mean"] + 0.25 * mean, atol=1e-6)


def test_batch_normalization_of_a_single_row_is_as_in_inference():
    network, row = made(BatchNormalization(), (5,)), images(5)[:1]
    expected = answer(network, row)
    np.testing.assert_array_equal(answer(network.train(), row), expected)


def test_what_draws_does_so_in_training_only():
    generator = torch.Generator().manual_seed(0)
    ones = torch.ones(40, 50)
    (dropped,), (noisy,) = Dropout(0.2).build((50,)), Noise(Masking(0.3)).build((50,))
    assert torch.equal(dropped(ones), ones)
    assert torch.equal(noisy(ones), ones)
    values = dropped.draw(ones, 0.5, generator)
    assert {*values.unique().tolist()} == {0.0, 1.25}
    assert float((values == 0).float().mean()) == pytest.approx(0.2, abs=0.03)
    assert float(noisy.draw(ones, 0.5, generator).mean()) == pytest.approx(0.7, abs=0.03)
    assert not Dropout(1.0).build((50,))[0].draw(ones, 0.5, generator).any()


# ---------------------------------------------------------------- the network

EVERY = Layers(
    encoder=(
        Noise(GaussianNoise(0.05)),
        ZeroPadding((1, 0, 0, 1)),
        Convolution(6, kernel=2, stride=2, bias=False),
        BatchNormalization(),
        Activation("leaky_relu", slope=0.1),
        MaxPooling(2, padding="same"),
        AveragePooling(2, stride=1, padding="same"),
        Dropout(0.1),
        Flatten(),
        Linear(4),
    ),
    decoder=(
        Linear(12),
        Dropout(0.1),
        Reshape((2, 3, 2)),
        TransposedConvolution(4, stride=2),
        Activation("elu", slope=0.5),
        UpSampling(2, interpolation="bilinear"),
        Cropping((1, 1, 3, 4)),
        Convolution(3, kernel=4),
    ),
)


def autoencoder(network, **changes):
    settings = {"max_epochs": 3, "batch_size": 16, "learning_rate": 0.01, "random_state": 0}
    return isthmus.Autoencoder(None, network=network, **(settings | changes))


def test_every_kind_of_layer_is_trained_saved_and_loaded(colours, tmp_path):
    used = {type(layer).__name__ for layer in (*EVERY.encoder, *EVERY.decoder)}
    assert used == {name for name in parts.__all__ if getattr(parts, name).kind == "layer"}
    model = autoencoder(EVERY, max_epochs=6, learning_rate=0.03, scaling="standard").fit(colours)
    assert model.history_[-1].mse < 0.9 * model.history_[0].mse
    assert [name for name, weight in model.module_.named_parameters() if not weight.grad.any()] == []
    model.save(tmp_path / "layers.safetensors")
    loaded = isthmus.load(tmp_path / "layers.safetensors")
    assert loaded.network == EVERY
    assert repr(loaded.network) == repr(EVERY)
    np.testing.assert_array_equal(loaded.reconstruct(colours), model.reconstruct(colours))
    assert "Dropped" in loaded.summary()


@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_both_halves_draw_in_training_by_the_seed_and_leave_global_chance_alone(rows, half):
    layers = {"encoder": (Linear(4),), "decoder": (Linear(12),)}
    layers[half] = (Dropout(0.5), *layers[half])
    before = torch.get_rng_state()
    errors = [autoencoder(Layers(**layers), max_epochs=1).fit(rows).history_[0].mse for _ in range(2)]
    quiet = autoencoder(Layers((Linear(4),), (Linear(12),)), max_epochs=1).fit(rows).history_[0].mse
    assert errors[0] == errors[1] != quiet
    assert torch.equal(torch.get_rng_state(), before)


def test_dense_layers_take_the_fastest_engine(rows):
    network = Layers((Linear(8), Activation("relu"), Linear(2)), (Linear(12), Activation("sigmoid")))
    assert autoencoder(network).fit(rows).history_[0].engine.startswith("chain")


def test_a_last_batch_of_one_row_is_trained_on(rows):
    network = Layers((Linear(4), BatchNormalization()), (Linear(12),))
    model = autoencoder(network, batch_size=16, validation_fraction=0.0, max_epochs=1).fit(rows[:17])
    assert np.isfinite(model.reconstruct(rows)).all()


@pytest.mark.parametrize(
    ("row_shape", "image_shape", "layout"),
    [((12,), None, (12,)), ((6, 5), None, (6, 5, 1)), ((6, 5, 3), None, (6, 5, 3)), ((30,), (6, 5), (6, 5, 1))],
)
def test_a_row_is_flat_or_an_image(row_shape, image_shape, layout):
    assert Layers(image_shape=image_shape).layout(row_shape) == layout


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match=r"image_shape \(4, 3\) has 12 numbers"):
        Layers(image_shape=(4, 3)).layout((13,))
    with pytest.raises(ParameterError, match=r"decoder gives rows of shape \(3,\)"):
        Layers((Linear(2),), (Linear(3),)).build((12,), None, 1)
    with pytest.raises(ParameterError, match="code_size must be None or 2; got 5"):
        Layers((Linear(2),), (Linear(12),)).build((12,), 5, 1)
    with pytest.raises(ParameterError, match="10,000,000,000 numbers for each row"):
        Layers((UpSampling(10**5),), ()).build((1, 1, 1), None, 1)
    with pytest.raises(ParameterError, match="encoder must be a tuple of layer parts"):
        Layers((nn.Linear(2, 3),), ())


def test_the_decoder_of_flat_rows_may_rebuild_images(images):
    network = Layers((Flatten(), Linear(3)), (Linear(30),))
    model = autoencoder(network).fit(images)
    assert model.reconstruct(images).shape == images.shape
    assert model.code_shape_ == (3,)


def test_a_distribution_has_two_numbers_for_each_of_the_code(rows):
    network = Layers((Linear(6),), (Linear(12),))
    model = isthmus.VariationalAutoencoder(None, network=network, max_epochs=1, random_state=0).fit(rows)
    assert model.code_shape_ == (3,)


def test_first_weights_are_drawn_for_every_layer():
    network = Layers((TransposedConvolution(2), BatchNormalization()), (Convolution(1),))
    encoder, decoder = network.build((5, 5, 1), None, 1)
    network.initialise(encoder, decoder, torch.Generator().manual_seed(0))
    bound = math.sqrt(6 / (9 * (1 + 2)))
    assert 0 < encoder[0].weight.abs().max() <= bound
    np.testing.assert_array_equal(encoder[1].running_var.numpy(), [1, 1])
    np.testing.assert_array_equal(encoder[1].weight.detach().numpy(), [1, 1])
