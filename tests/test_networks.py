"""Dense and convolutional networks: layers, shapes for every size, first weights."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import isthmus
from isthmus.datasets import load_mnist
from isthmus.errors import DataError
from isthmus.hyperparameters import ACTIVATIONS
from isthmus.parts import Convolutional, Dense
from isthmus.parts.layers import activation
from isthmus.records import Facts


def names(network):
    return [type(layer).__name__ for layer in network]


def layers_of(network, *kinds):
    return [layer for layer in network.modules() if isinstance(layer, kinds)]


def widths(network):
    linear = layers_of(network, nn.Linear)
    return [linear[0].in_features, *(layer.out_features for layer in linear)]


def parameter_count(*networks):
    return sum(parameter.numel() for network in networks for parameter in network.parameters())


def initialised(network, layout, code_size=None, heads=1, seed=0):
    encoder, decoder = network.build(layout, code_size, heads)
    network.initialise(encoder, decoder, torch.Generator().manual_seed(seed))
    return encoder, decoder


# ---------------------------------------------------------------- dense


@given(st.integers(1, 40), st.lists(st.integers(1, 40), max_size=4), st.integers(1, 40))
def test_the_dense_decoder_has_the_encoders_widths_backwards(columns, hidden, code_size):
    encoder, decoder = Dense(hidden).build((columns,), code_size, 1)
    assert widths(encoder) == [columns, *hidden, code_size]
    assert widths(decoder) == [code_size, *reversed(hidden), columns]


def test_the_dense_default_has_the_articles_widths():
    encoder, decoder = Dense().build((784,), 32, 1)
    assert widths(encoder) == [784, 128, 64, 32]
    assert names(encoder) == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert names(decoder) == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    by_hand = 784 * 128 + 128 + 128 * 64 + 64 + 64 * 32 + 32 + 32 * 64 + 64 + 64 * 128 + 128 + 128 * 784 + 784
    assert parameter_count(encoder, decoder) == by_hand


def test_dense_activations_are_where_they_were_asked_for():
    network = Dense((5, 4), activation="tanh", code_activation="relu", output_activation="sigmoid")
    encoder, decoder = network.build((6,), 3, 1)
    assert names(encoder) == ["Linear", "Tanh", "Linear", "Tanh", "Linear", "ReLU"]
    assert names(decoder) == ["Linear", "Tanh", "Linear", "Tanh", "Linear", "Sigmoid"]


def test_dense_without_hidden_layers_is_one_layer_each_way():
    encoder, decoder = Dense(()).build((6,), 3, 1)
    assert names(encoder) == names(decoder) == ["Linear"]


def test_a_dense_code_without_a_size_is_as_long_as_the_row():
    encoder, decoder = Dense((5,)).build((6,), None, 1)
    assert widths(encoder) == [6, 5, 6]
    assert widths(decoder) == [6, 5, 6]


def test_several_dense_heads_are_linear_and_the_decoder_takes_one():
    encoder, decoder = Dense((5,), code_activation="relu").build((6,), 3, 2)
    assert widths(encoder) == [6, 5, 6]
    assert names(encoder) == ["Linear", "ReLU", "Linear"]
    assert widths(decoder) == [3, 5, 6]


def test_dense_sees_a_row_of_any_shape_as_one_vector():
    assert Dense().layout((28, 28)) == (784,)
    assert Dense().layout((8, 8, 3)) == (192,)
    assert Dense().layout((13,)) == (13,)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_the_torch_function_of_its_name(name):
    x = torch.linspace(-3, 3, 13, dtype=torch.float64)
    expected = x if name == "linear" else getattr(nn.functional, name)(x)
    torch.testing.assert_close(nn.Sequential(*activation(name))(x), expected)


# ---------------------------------------------------------------- convolutional: the article's network


def test_the_convolutional_default_is_the_articles_network():
    encoder, decoder = Convolutional().build((28, 28, 1), None, 1)
    assert names(encoder) == ["Conv2d", "ReLU", "MaxPool2d", "Conv2d", "ReLU", "MaxPool2d"]
    assert names(decoder) == ["Conv2d", "ReLU", "Upsample", "Conv2d", "ReLU", "Upsample", "Conv2d"]
    convolutions = layers_of(nn.ModuleList([encoder, decoder]), nn.Conv2d)
    channels = [(layer.in_channels, layer.out_channels) for layer in convolutions]
    assert channels == [(1, 16), (16, 1), (1, 1), (1, 16), (16, 1)]
    for layer in convolutions:
        assert (layer.kernel_size, layer.stride, layer.padding) == ((3, 3), (1, 1), (1, 1))
        assert layer.padding_mode == "zeros"
        assert layer.bias is not None
    assert [layer.kernel_size for layer in layers_of(encoder, nn.MaxPool2d)] == [2, 2]
    assert [layer.mode for layer in layers_of(decoder, nn.Upsample)] == ["nearest", "nearest"]


def test_the_articles_network_has_620_parameters():
    encoder, decoder = Convolutional().build((28, 28, 1), None, 1)
    encoder_by_hand = (3 * 3 * 1 * 16 + 16) + (3 * 3 * 16 * 1 + 1)
    decoder_by_hand = (3 * 3 * 1 * 1 + 1) + (3 * 3 * 1 * 16 + 16) + (3 * 3 * 16 * 1 + 1)
    assert parameter_count(encoder) == encoder_by_hand == 305
    assert parameter_count(decoder) == decoder_by_hand == 315


def test_the_articles_code_of_a_28_by_28_image_is_7_by_7():
    encoder, decoder = Convolutional().build((28, 28, 1), None, 1)
    code = encoder(torch.zeros(2, 1, 28, 28))
    assert code.shape == (2, 1, 7, 7)
    assert decoder(code).shape == (2, 1, 28, 28)


def test_the_estimators_default_network_is_the_parts_default():
    assert isthmus.ConvolutionalAutoencoder().recipe(Facts((28, 28), 0.0, 1.0)).network == Convolutional()


def test_a_code_size_adds_a_dense_layer_on_either_side():
    encoder, decoder = Convolutional((4, 2)).build((8, 8, 1), 5, 1)
    assert names(encoder)[-2:] == ["Flatten", "Linear"]
    assert names(decoder)[:3] == ["Linear", "ReLU", "Unflatten"]
    assert widths(encoder) == [2 * 2 * 2, 5]
    assert widths(decoder) == [5, 2 * 2 * 2]


@pytest.mark.parametrize(
    ("code_size", "code_activation", "last"),
    [
        (None, None, "Tanh"),
        (None, "linear", "Conv2d"),
        (None, "sigmoid", "Sigmoid"),
        (3, None, "Linear"),
        (3, "relu", "ReLU"),
    ],
)
def test_the_codes_activation_is_the_hidden_one_on_a_map_and_linear_on_a_dense_code(code_size, code_activation, last):
    network = Convolutional((4, 2), activation="tanh", code_activation=code_activation)
    encoder, _ = network.build((8, 8, 1), code_size, 1)
    assert [name for name in names(encoder) if name not in ("MaxPool2d", "Flatten")][-1] == last


def test_convolutional_activations_are_where_they_were_asked_for():
    network = Convolutional((4, 3, 2), activation="elu", output_activation="sigmoid")
    encoder, decoder = network.build((16, 16, 1), None, 1)
    assert names(encoder) == ["Conv2d", "ELU", "MaxPool2d"] * 3
    assert names(decoder) == ["Conv2d", "ELU", "Upsample"] * 3 + ["Conv2d", "Sigmoid"]


@pytest.mark.parametrize("code_size", [None, 5])
def test_several_convolutional_heads_are_linear_and_the_decoder_takes_one(code_size):
    encoder, decoder = Convolutional((4, 2), code_activation="relu").build((8, 8, 1), code_size, 2)
    parameters = encoder(torch.randn(3, 1, 8, 8))
    one = parameters[:, : parameters.shape[1] // 2]
    assert parameters.shape[1] == 2 * (5 if code_size else 2)
    assert decoder(one).shape == (3, 1, 8, 8)
    assert names(encoder).count("ReLU") == (2 if code_size else 1)


# ---------------------------------------------------------------- convolutional: any size


def check_answers_in_the_same_shape(layout, network, code_size=None):
    encoder, decoder = network.build(layout, code_size, 1)
    rows = torch.zeros(2, layout[-1], *layout[:-1])
    with torch.no_grad():
        code = encoder(rows)
        assert decoder(code).shape == rows.shape
    if code_size is None:
        halved = tuple(math.ceil(side / 2 ** len(network.channels)) for side in layout[:-1])
        assert code.shape == (2, network.channels[-1], *halved)
    else:
        assert code.shape == (2, code_size)


@pytest.mark.parametrize("stages", [1, 2, 3, 4])
def test_images_and_signals_of_every_size_up_to_65_come_back_in_their_size(stages):
    for side in range(1, 66):
        check_answers_in_the_same_shape((side, side, 1), Convolutional((1,) * stages))
        check_answers_in_the_same_shape((side, 1), Convolutional((1,) * stages))


def test_numpy_integers_are_taken_for_every_size():
    check_answers_in_the_same_shape((8, 9, 3), Convolutional(np.array([4, 2]), kernel_size=np.int64(3)), np.int64(5))
    encoder, _ = Dense(np.array([5, 4])).build((6,), np.int64(3), 1)
    assert widths(encoder) == [6, 5, 4, 3]


@settings(deadline=None, max_examples=150)
@given(
    size=st.one_of(st.tuples(st.integers(1, 65)), st.tuples(st.integers(1, 65), st.integers(1, 65))),
    colours=st.sampled_from([1, 3]),
    channels=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    kernel_size=st.sampled_from([1, 3, 5]),
    code_size=st.one_of(st.none(), st.integers(1, 9)),
)
def test_rows_come_back_in_exactly_their_shape(size, colours, channels, kernel_size, code_size):
    network = Convolutional(channels, kernel_size=kernel_size)
    check_answers_in_the_same_shape((*size, colours), network, code_size)


@settings(deadline=None)
@given(st.integers(1, 65), st.integers(1, 65))
def test_nearest_up_sampling_repeats_each_pixel_twice_and_crops(height, width):
    _, decoder = Convolutional((1,)).build((height, width, 1), None, 1)
    (upsampling,) = layers_of(decoder, nn.Upsample)
    small = np.arange(math.ceil(height / 2) * math.ceil(width / 2), dtype=np.float32)
    small = small.reshape(math.ceil(height / 2), math.ceil(width / 2))
    expected = small.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    np.testing.assert_array_equal(upsampling(torch.from_numpy(small)[None, None])[0, 0], expected)


@pytest.mark.parametrize("side", [4, 5])
def test_pooling_takes_the_largest_of_two_by_two_and_keeps_odd_edges(side):
    encoder, _ = Convolutional((1,)).build((side, side, 1), None, 1)
    (pooling,) = layers_of(encoder, nn.MaxPool2d)
    image = np.arange(side * side, dtype=np.float32).reshape(side, side)
    expected = [[image[i : i + 2, j : j + 2].max() for j in range(0, side, 2)] for i in range(0, side, 2)]
    np.testing.assert_array_equal(pooling(torch.from_numpy(image)[None, None])[0, 0], expected)


@pytest.mark.parametrize(
    ("image_shape", "row_shape", "layout"),
    [
        (None, (28, 28), (28, 28, 1)),
        (None, (8, 9, 3), (8, 9, 3)),
        (None, (50,), (50, 1)),
        ((28, 28), (784,), (28, 28, 1)),
        ((28, 28, 1), (784,), (28, 28, 1)),
        ((4, 4, 3), (48,), (4, 4, 3)),
        ([4, 12], (48,), (4, 12, 1)),
    ],
)
def test_a_row_is_seen_as_an_image_or_as_a_signal(image_shape, row_shape, layout):
    assert Convolutional(image_shape=image_shape).layout(row_shape) == layout


def test_an_image_shape_that_does_not_hold_the_columns_is_refused():
    with pytest.raises(DataError) as caught:
        Convolutional(image_shape=(28, 28)).layout((100,))
    message = str(caught.value)
    for word in ("image_shape", "(28, 28)", "784", "100"):
        assert word in message
    assert "\n" not in message


def test_fit_refuses_an_image_shape_that_does_not_hold_the_columns():
    with pytest.raises(DataError, match="image_shape"):
        isthmus.ConvolutionalAutoencoder(image_shape=(5, 5)).fit(np.zeros((10, 24), np.float32))


def test_a_flat_table_with_an_image_shape_gives_the_codes_of_the_images():
    images = load_mnist("test")[0][:64]
    options = {"max_epochs": 1, "random_state": 0}
    of_images = isthmus.ConvolutionalAutoencoder(**options).fit(images)
    of_columns = isthmus.ConvolutionalAutoencoder(image_shape=(28, 28), **options).fit(images.reshape(64, -1))
    np.testing.assert_allclose(
        of_images.transform(images), of_columns.transform(images.reshape(64, -1)), rtol=1e-5, atol=1e-6
    )
    assert of_columns.reconstruct(images.reshape(64, -1)).shape == (64, 784)


# ---------------------------------------------------------------- first weights


def assert_uniform_with_variance(weight, variance):
    bound = math.sqrt(3 * variance)
    assert weight.abs().max() <= bound
    assert weight.abs().max() > 0.99 * bound
    assert weight.var().item() == pytest.approx(variance, rel=0.03)
    assert abs(weight.mean().item()) < 5 * math.sqrt(variance / weight.numel())


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_weights_have_glorots_variance_whatever_the_activation(name):
    encoder, decoder = initialised(Dense((400,), activation=name), (300,), 200)
    assert_uniform_with_variance(encoder[0].weight, 2 / (300 + 400))
    assert_uniform_with_variance(encoder[-1].weight, 2 / (400 + 200))
    assert_uniform_with_variance(decoder[0].weight, 2 / (200 + 400))
    assert_uniform_with_variance(decoder[-1].weight, 2 / (400 + 300))


def test_convolutions_count_their_taps():
    encoder, decoder = initialised(Convolutional((64, 64)), (12, 12, 3))
    assert_uniform_with_variance(encoder[3].weight, 2 / (9 * 64 + 9 * 64))
    assert_uniform_with_variance(decoder[-1].weight, 2 / (9 * 64 + 9 * 3))


@pytest.mark.parametrize("network", [Dense((7,)), Convolutional((3, 2))])
def test_biases_start_at_zero(network):
    encoder, decoder = initialised(network, (8, 8, 1) if isinstance(network, Convolutional) else (8,), 5)
    biases = [value for part in (encoder, decoder) for name, value in part.named_parameters() if "bias" in name]
    assert biases
    assert all((bias == 0).all() for bias in biases)


def test_the_same_generator_gives_the_same_weights_and_another_gives_others():
    first, second, other = (initialised(Dense(), (20,), 5, seed=seed)[0] for seed in (0, 0, 1))
    for ours, theirs in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert not torch.equal(first[0].weight, other[0].weight)


def global_state_of_numpy():
    return np.random.get_state()[1].copy()  # noqa: NPY002


@pytest.mark.parametrize("model", [isthmus.DenseAutoencoder(2), isthmus.ConvolutionalAutoencoder(2)])
def test_the_global_generators_are_left_alone(model):
    X = np.random.RandomState(0).rand(40, 8, 8).astype(np.float32)
    torch_before, numpy_before = torch.get_rng_state(), global_state_of_numpy()
    model.set_params(max_epochs=2, random_state=0).fit(X).transform(X)
    assert torch.equal(torch.get_rng_state(), torch_before)
    np.testing.assert_array_equal(global_state_of_numpy(), numpy_before)


@pytest.mark.parametrize("seed", range(20))
def test_no_unit_of_a_narrow_rectified_layer_is_silent_on_bright_input(seed):
    encoder, _ = initialised(Dense((4, 3, 2), code_activation="relu"), (16,), 1, seed=seed)
    rows = torch.ones(1, 16)
    for layer in encoder:
        rows = layer(rows)
        if isinstance(layer, nn.ReLU):
            assert (rows > 0).all()
            rows = torch.ones_like(rows)


@pytest.mark.parametrize("seed", range(20))
def test_no_channel_of_the_articles_code_is_silent_on_digits(seed):
    images = torch.from_numpy(load_mnist("test")[0][:8].astype(np.float32) / 255)[:, None]
    encoder, decoder = initialised(Convolutional(), (28, 28, 1), seed=seed)
    code = encoder(images)
    assert (code > 0).any()
    assert (decoder[:3](code) > 0).any()


@pytest.mark.parametrize("channels", [1, 2])
def test_a_narrow_rectified_convolution_starts_as_a_blur_near_the_identity(channels):
    _, decoder = initialised(Convolutional((16, channels)), (28, 28, 1))
    weight = decoder[0].weight
    taps = weight.detach()
    assert (taps >= 0).all()
    torch.testing.assert_close(taps.sum(dim=(1, 2, 3)), torch.ones(channels))
    for channel in range(channels):
        assert taps[channel].argmax() == channel * 9 + 4


@pytest.mark.parametrize("channels", [(4, 2), (4, 4, 4), (16, 1), (2, 2, 2, 2)])
def test_stacks_of_narrow_convolutions_start_without_growth(channels):
    encoder, decoder = initialised(Convolutional(channels), (28, 28, 1))
    rows = torch.rand(20, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert decoder(encoder(rows)).abs().max() < 5


def test_a_layer_of_many_units_or_without_a_rectifier_keeps_both_signs():
    encoder, decoder = initialised(Convolutional(), (28, 28, 1))
    for layer in (encoder[0], decoder[-1]):
        assert (layer.weight < 0).any()
        assert (layer.weight > 0).any()
