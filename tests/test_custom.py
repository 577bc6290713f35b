"""Modules that users write themselves: trained, saved, loaded, refused."""

import numpy as np
import pytest
import torch
from torch import nn

import isthmus
from isthmus.errors import ModelFileError, ParameterError
from isthmus.parts import Custom


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.normal, self.code = nn.BatchNorm1d(12), nn.Linear(12, 3)

    def forward(self, rows):
        return torch.tanh(self.code(self.normal(rows)))


class Decoder(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(3, 12))


class PixelEncoder(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(2 * 4 * 3, 4))


class PixelDecoder(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(4, 3 * 6 * 5), nn.Unflatten(1, (3, 6, 5)))


class MeanAndLogVariance(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(12, 6))


class Positions(nn.Linear):
    def __init__(self):
        super().__init__(12, 3)
        self.register_buffer("places", torch.arange(3.0), persistent=False)


class Constants(nn.Linear):
    def __init__(self):
        super().__init__(12, 3)
        self.places = torch.arange(3.0)


def autoencoder(*classes, **options):
    return isthmus.Autoencoder(3, network=Custom(*classes, **options), max_epochs=3, batch_size=16, random_state=0)


@pytest.fixture(scope="module")
def model(rows):
    return autoencoder(Encoder, Decoder).fit(rows)


@pytest.fixture
def path(model, tmp_path):
    model.save(tmp_path / "own.safetensors")
    return tmp_path / "own.safetensors"


def test_the_code_is_the_encoders_answer_to_scaled_rows(model, rows):
    assert isinstance(model.encoder_, Encoder)
    encoder = Encoder().eval()
    encoder.load_state_dict(model.encoder_.state_dict())
    scaled = model.scaling_.apply(torch.from_numpy(rows))
    np.testing.assert_allclose(model.transform(rows), encoder(scaled).detach(), atol=1e-6)


def test_training_lowers_the_error(model):
    assert model.history_[-1].mse < model.history_[0].mse


def test_a_model_comes_back_from_its_file(model, path, rows):
    loaded = isthmus.load(path, classes=[Decoder, Encoder])
    assert loaded.network == Custom(Encoder, Decoder)
    np.testing.assert_array_equal(loaded.transform(rows), model.transform(rows))
    np.testing.assert_array_equal(loaded.reconstruct(rows), model.reconstruct(rows))


@pytest.mark.parametrize(("classes", "missing"), [([], "Encoder"), ([Decoder], "Encoder"), ([Encoder], "Decoder")])
def test_a_file_is_refused_in_one_sentence_without_its_classes(path, classes, missing):
    with pytest.raises(ModelFileError, match=rf"^[^\n]*'{missing}'; pass it: load\(path, classes=\[...\]\)$"):
        isthmus.load(path, classes=classes)


def test_a_class_of_the_same_name_with_other_weights_is_refused(path):
    other = type("Decoder", (nn.Sequential,), {"__init__": lambda self: nn.Sequential.__init__(self, nn.Linear(3, 9))})
    with pytest.raises(ModelFileError, match=r"decoder\.0\.\w+ is torch.float32 of shape \(12"):
        isthmus.load(path, classes=[Encoder, other])


def test_images_come_with_their_channels_first(colours):
    model = autoencoder(PixelEncoder, PixelDecoder, image_shape=(6, 5, 3)).fit(colours)
    scaled = model.scaling_.apply(torch.from_numpy(colours.reshape(40, -1))).reshape(colours.shape)
    expected = model.encoder_(scaled.permute(0, 3, 1, 2)).detach()
    np.testing.assert_allclose(model.transform(colours), expected, atol=1e-6)
    assert model.reconstruct(colours).shape == colours.shape


def test_a_variational_model_takes_an_encoder_that_gives_means_and_log_variances(rows, tmp_path):
    network = Custom(MeanAndLogVariance, Decoder)
    model = isthmus.VariationalAutoencoder(3, network=network, beta=0.1, max_epochs=3, random_state=0).fit(rows)
    scaled = model.scaling_.apply(torch.from_numpy(rows))
    mean, log_variance = model.encoder_(scaled).detach().chunk(2, dim=1)
    np.testing.assert_allclose(model.posterior(rows).mean, mean, atol=1e-6)
    np.testing.assert_allclose(model.posterior(rows).scale, (log_variance / 2).exp(), atol=1e-6)
    model.save(tmp_path / "own.safetensors")
    loaded = isthmus.load(tmp_path / "own.safetensors", classes=[MeanAndLogVariance, Decoder])
    np.testing.assert_array_equal(loaded.sample(2, random_state=0), model.sample(2, random_state=0))


def test_an_encoder_without_log_variances_is_refused_by_a_variational_model(rows):
    with pytest.raises(ParameterError, match=r"mean and a log-variance.*got 3 numbers"):
        isthmus.VariationalAutoencoder(3, network=Custom(Encoder, Decoder)).fit(rows)


@pytest.mark.parametrize(("shape", "layout"), [(None, (30,)), ((6, 5), (6, 5, 1)), ((2, 5, 3), (2, 5, 3))])
def test_a_row_is_flat_or_the_image_it_is_said_to_be(shape, layout):
    assert Custom(Encoder, Decoder, image_shape=shape).layout((6, 5)) == layout


def test_first_weights_are_the_classes_own_and_decided_by_the_generator():
    before = torch.random.get_rng_state()
    modules = [Encoder(), Decoder()]
    torch.random.set_rng_state(before)
    Custom(Encoder, Decoder).initialise(*modules, torch.Generator().manual_seed(0))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(int(torch.randint(2**31, (), generator=torch.Generator().manual_seed(0))))
    for ours, fresh in zip(modules, [Encoder(), Decoder()], strict=True):
        torch.testing.assert_close(ours.state_dict(), fresh.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("encoder", [Positions, Constants])
def test_tensors_that_a_file_would_not_keep_are_refused(rows, encoder):
    with pytest.raises(ParameterError, match=f"{encoder.__name__}.*persistent buffers: places$"):
        autoencoder(encoder, Decoder).fit(rows)


@pytest.mark.parametrize("encoder", [Decoder(), "Encoder", dict, None])
def test_what_is_no_class_of_modules_is_refused(encoder):
    with pytest.raises(ParameterError, match="encoder must be a class of torch modules"):
        Custom(encoder, Decoder)
