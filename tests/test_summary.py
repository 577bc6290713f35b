"""The table of layers, output shapes and parameters."""

import numpy as np
import pytest
import torch

import isthmus
from isthmus.module import AutoencoderModule
from isthmus.parts import Convolutional, Dense
from isthmus.recipe import Recipe
from isthmus.records import Schema
from isthmus.summary import summary_of


def summary(recipe, row_shape):
    schema = Schema(row_shape, recipe.network.layout(row_shape))
    return summary_of("Model", AutoencoderModule(recipe, schema))


def cells_of(text):
    """Rows of the table between its rules: layer, shape, parameters."""
    lines = text.splitlines()
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines if "  " in line][1:]


def test_the_articles_convolutional_network():
    assert cells_of(summary(Recipe(None, Convolutional()), (28, 28))) == [
        ["input", "28 x 28 x 1", "0"],
        ["encoder.0 Conv2d", "28 x 28 x 16", "160"],
        ["encoder.1 ReLU", "28 x 28 x 16", "0"],
        ["encoder.2 MaxPool2d", "14 x 14 x 16", "0"],
        ["encoder.3 Conv2d", "14 x 14 x 1", "145"],
        ["encoder.4 ReLU", "14 x 14 x 1", "0"],
        ["encoder.5 MaxPool2d", "7 x 7 x 1", "0"],
        ["decoder.0 Conv2d", "7 x 7 x 1", "10"],
        ["decoder.1 ReLU", "7 x 7 x 1", "0"],
        ["decoder.2 Upsample", "14 x 14 x 1", "0"],
        ["decoder.3 Conv2d", "14 x 14 x 16", "160"],
        ["decoder.4 ReLU", "14 x 14 x 16", "0"],
        ["decoder.5 Upsample", "28 x 28 x 16", "0"],
        ["decoder.6 Conv2d", "28 x 28 x 1", "145"],
    ]


def test_a_dense_network():
    assert cells_of(summary(Recipe(32), (28, 28))) == [
        ["input", "784", "0"],
        ["encoder.0 Linear", "128", "100,480"],
        ["encoder.1 ReLU", "128", "0"],
        ["encoder.2 Linear", "64", "8,256"],
        ["encoder.3 ReLU", "64", "0"],
        ["encoder.4 Linear", "32", "2,080"],
        ["decoder.0 Linear", "64", "2,112"],
        ["decoder.1 ReLU", "64", "0"],
        ["decoder.2 Linear", "128", "8,320"],
        ["decoder.3 ReLU", "128", "0"],
        ["decoder.4 Linear", "784", "101,136"],
    ]


@pytest.mark.parametrize(
    ("recipe", "row_shape", "last"),
    [
        (Recipe(32), (784,), "code 32, 222,384 parameters"),
        (Recipe(None, Convolutional()), (28, 28), "code 7 x 7 x 1, 620 parameters"),
        (Recipe(3, Convolutional((2,))), (5, 4, 3), "code 3, 238 parameters"),
    ],
)
def test_the_last_line_is_the_code_and_the_number_of_parameters(recipe, row_shape, last):
    assert summary(recipe, row_shape).splitlines()[-1] == last


@pytest.mark.parametrize(
    ("recipe", "row_shape"),
    [
        (Recipe(3, Dense((5,))), (9,)),
        (Recipe(None, Convolutional((2, 3))), (7, 9, 3)),
        (Recipe(4, Convolutional()), (50,)),
    ],
    ids=["dense", "images", "signals"],
)
def test_the_parameters_of_the_layers_add_up(recipe, row_shape):
    schema = Schema(row_shape, recipe.network.layout(row_shape))
    module = AutoencoderModule(recipe, schema)
    text = summary_of("Model", module)
    counted = sum(int(cells[2].replace(",", "")) for cells in cells_of(text))
    assert counted == sum(parameter.numel() for parameter in module.parameters())


def test_the_table_is_aligned_and_has_three_rules():
    lines = summary(Recipe(32), (784,)).splitlines()
    assert lines[0] == "Model"
    rules = [line for line in lines if set(line) == {"-"}]
    assert len(rules) == 3
    assert {len(line) for line in lines[1:-1]} == {len(rules[0])}
    assert not any(line != line.rstrip() for line in lines)


def test_a_model_that_would_not_fit_into_memory_is_summarised():
    cells = cells_of(summary(Recipe(1_000_000, Dense((1_000_000,))), (1_000_000,)))
    assert cells[1] == ["encoder.0 Linear", "1000000", "1,000,001,000,000"]


def test_the_summary_of_a_fitted_model_is_that_of_its_class():
    X = np.random.RandomState(0).rand(20, 8, 8)
    model = isthmus.ConvolutionalAutoencoder(max_epochs=1, random_state=0).fit(X)
    codes, text = model.transform(X), model.summary()
    assert text.startswith("ConvolutionalAutoencoder\n")
    assert text.endswith("code 2 x 2 x 1, 620 parameters")
    np.testing.assert_array_equal(model.transform(X), codes)
    assert not any(layer._forward_hooks for layer in model.module_.modules())


def test_a_summary_draws_nothing():
    before = torch.get_rng_state()
    summary(Recipe(3), (9,))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", [name for name in isthmus.__all__ if name.endswith("Autoencoder")])
def test_every_estimator_has_a_summary(name):
    X = np.random.RandomState(0).rand(30, 8, 8)
    model = getattr(isthmus, name)(2, max_epochs=1, random_state=0).fit(X)
    lines = model.summary().splitlines()
    assert lines[0] == name
    assert lines[-1].startswith("code 2, ")
    assert any(line.startswith("encoder") for line in lines)
    assert any(line.startswith("decoder") for line in lines)


def test_a_summary_before_fit_is_refused():
    with pytest.raises(ValueError, match="not fitted yet"):
        isthmus.DenseAutoencoder().summary()
