"""The linear autoencoder against scikit-learn's PCA."""

import numpy as np
import pytest
from scipy.linalg import subspace_angles
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from isthmus import LinearAutoencoder, linear
from isthmus.datasets import load_digits, load_mnist
from isthmus.errors import IsthmusError, ParameterError

DIGITS = load_digits()[0].reshape(-1, 64) / 255
WINE = load_wine().data


def noise(*shape, seed=0):
    return np.random.RandomState(seed).randn(*shape)


def falling(rows, columns):
    """Rows of twelve hidden numbers, each half as large as the one before."""
    return noise(rows, 12) * 0.5 ** np.arange(12) @ noise(12, columns, seed=1)


# name: rows, size of the code, whether the rows are images
TABLES = {
    "digits": lambda: (DIGITS, 10),
    "uint8 digits": lambda: (load_digits()[0].reshape(-1, 64), 10),
    "float32 digits": lambda: (DIGITS.astype(np.float32), 10),
    "raw wine": lambda: (WINE, 5),
    "standardised wine": lambda: (StandardScaler().fit_transform(WINE), 6),
    "10,000 images of MNIST": lambda: (load_mnist("test")[0].reshape(10_000, 784), 30),
    "a large offset": lambda: (noise(500, 6) * [6, 5, 4, 3, 2, 1] + 1e6, 3),
    "a huge offset": lambda: (noise(500, 6) * [6, 5, 4, 3, 2, 1] + 1e12, 3),
    "small numbers": lambda: (noise(500, 6) * [6, 5, 4, 3, 2, 1] * 1e-25, 3),
    "large numbers": lambda: (noise(500, 6) * [6, 5, 4, 3, 2, 1] * 1e20, 3),
    "integers": lambda: (np.random.RandomState(0).randint(-99, 99, (300, 7)) * np.arange(1, 8), 4),
}
# A randomized SVD is exact to rounding where the spectrum falls fast enough.
WIDE = {
    "digits": lambda: (DIGITS, 3),
    "raw wine": lambda: (WINE, 3),
    "a large offset": lambda: (falling(500, 60) + 1e6, 3),
    "more columns than rows": lambda: (falling(40, 200), 5),
}


@pytest.fixture(scope="module", params=TABLES)
def solved(request):
    """Rows, the exact model of them, and PCA of them in float64."""
    X, k = TABLES[request.param]()
    model = LinearAutoencoder(k, random_state=0).fit(X)
    solver = "covariance_eigh" if X.shape[1] > 100 else "full"
    return X, model, PCA(k, svd_solver=solver).fit(X.astype(np.float64))


def subspace_distance(ours, theirs):
    """Sine of the largest angle between the spans of the rows."""
    return np.sin(subspace_angles(ours.T.astype(np.float64), theirs.T.astype(np.float64))).max()


def cosines(ours, theirs):
    return np.sum(ours * theirs, axis=1)


def assert_same_components(model, pca):
    assert subspace_distance(model.components_, pca.components_) <= 1e-4
    assert cosines(model.components_, pca.components_).min() >= 1 - 1e-4


# ---------------------------------------------------------------- exact


def test_the_components_are_pcas_with_their_signs(solved):
    _, model, pca = solved
    assert_same_components(model, pca)


def test_the_components_are_orthonormal(solved):
    _, model, _ = solved
    np.testing.assert_allclose(model.components_ @ model.components_.T, np.eye(len(model.components_)), atol=1e-6)


def test_the_largest_entry_of_each_component_is_positive(solved):
    _, model, _ = solved
    largest = np.abs(model.components_).argmax(axis=1)
    assert (model.components_[np.arange(len(largest)), largest] > 0).all()


@pytest.mark.parametrize("name", ["explained_variance_", "explained_variance_ratio_", "singular_values_"])
def test_variances_and_singular_values_are_pcas(solved, name):
    _, model, pca = solved
    np.testing.assert_allclose(getattr(model, name), getattr(pca, name), rtol=1e-4)


def test_the_mean_is_pcas(solved):
    X, model, pca = solved
    np.testing.assert_allclose(model.mean_, pca.mean_, rtol=1e-6, atol=1e-6 * X.std())


def test_the_codes_are_pcas(solved):
    X, model, pca = solved
    codes = pca.transform(X)
    np.testing.assert_allclose(model.transform(X), codes, rtol=1e-3, atol=1e-3 * codes.std(axis=0).min())


def test_the_reconstruction_and_its_error_are_pcas(solved):
    X, model, pca = solved
    rebuilt = pca.inverse_transform(pca.transform(X))
    precision = np.abs(rebuilt).max() * 2e-7
    np.testing.assert_allclose(model.reconstruct(X), rebuilt, rtol=1e-3, atol=1e-3 * X.std() + precision)
    if precision < 1e-3 * X.std():
        expected = np.square(X - rebuilt).mean(axis=1)
        np.testing.assert_allclose(model.reconstruction_error(X), expected, rtol=1e-2, atol=1e-3 * expected.mean())
        assert model.score(X) == pytest.approx(pca.explained_variance_ratio_.sum(), rel=1e-4)


def test_the_loss_is_the_variance_that_is_left_in_scaled_units(solved):
    X, model, pca = solved
    (epoch,) = model.history_
    left = np.var(X.astype(np.float64), axis=0).sum() - pca.explained_variance_.sum() * (len(X) - 1) / len(X)
    left /= model.scaling_.scale.item() ** 2
    assert epoch.loss == pytest.approx(left, rel=1e-3)
    assert epoch.mse == pytest.approx(left / X.shape[1], rel=1e-3)
    assert model.n_iter_ == 1


def test_images_have_the_components_of_their_pixels():
    images, _ = load_digits()
    model = LinearAutoencoder(5).fit(images)
    assert_same_components(model, PCA(5, svd_solver="full").fit(images.reshape(-1, 64).astype(float)))
    assert model.reconstruct(images).shape == images.shape
    assert model.mean_.shape == (64,)


@pytest.mark.slow
@pytest.mark.parametrize(("k", "error"), [(2, 43.645), (30, 13.866), (64, 7.093)])
def test_errors_after_all_of_mnist_are_the_published_ones(k, error):
    train, test = (load_mnist(split)[0].reshape(-1, 784) for split in ("train", "test"))
    model = LinearAutoencoder(k).fit(train)
    assert model.reconstruction_error(test).mean() * 784 / 255**2 == pytest.approx(error, abs=6e-4)


# ---------------------------------------------------------------- wide rows


@pytest.mark.parametrize("name", WIDE)
def test_wide_rows_are_solved_by_a_randomized_svd(monkeypatch, name):
    X, k = WIDE[name]()
    monkeypatch.setattr(linear, "WIDEST_COVARIANCE", 5)
    monkeypatch.setattr(linear, "components_from", None)
    model = LinearAutoencoder(k, random_state=0).fit(X)
    pca = PCA(k, svd_solver="full").fit(X.astype(np.float64))
    assert_same_components(model, pca)
    for attribute in ("explained_variance_", "explained_variance_ratio_", "singular_values_"):
        np.testing.assert_allclose(getattr(model, attribute), getattr(pca, attribute), rtol=1e-3)
    np.testing.assert_allclose(model.mean_, pca.mean_, rtol=1e-6, atol=1e-6 * X.std())
    codes = pca.transform(X)
    np.testing.assert_allclose(model.transform(X), codes, rtol=1e-3, atol=1e-2 * codes.std(axis=0).min())


def test_wide_rows_give_the_same_components_for_the_same_seed(monkeypatch):
    monkeypatch.setattr(linear, "WIDEST_COVARIANCE", 5)
    first, second = (LinearAutoencoder(4, random_state=3).fit(DIGITS) for _ in range(2))
    np.testing.assert_array_equal(first.components_, second.components_)


def test_rows_wider_than_the_widest_covariance_are_solved():
    X = falling(30, linear.WIDEST_COVARIANCE + 1)
    assert_same_components(LinearAutoencoder(2, random_state=0).fit(X), PCA(2, svd_solver="full").fit(X))


def test_partial_fit_on_wide_rows_forgets_no_rows_in_silence(monkeypatch):
    monkeypatch.setattr(linear, "WIDEST_COVARIANCE", 5)
    model = LinearAutoencoder(4, random_state=0)
    try:
        for rows in np.array_split(DIGITS[np.argsort(DIGITS.sum(axis=1))], 3):
            model.partial_fit(rows)
    except IsthmusError as error:
        assert "partial_fit" in str(error)  # noqa: PT017
    else:
        assert_same_components(model, PCA(4, svd_solver="full").fit(DIGITS))


@pytest.mark.parametrize("columns", [3, 5])
def test_few_rows_leave_the_other_components_at_zero_variance(columns):
    X = noise(3, 6)
    model = LinearAutoencoder(columns).fit(X)
    assert np.isfinite(model.components_).all()
    np.testing.assert_allclose(model.singular_values_[2:], 0, atol=1e-2)
    np.testing.assert_allclose(model.reconstruct(X), X, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("X", [np.full((6, 4), 7.0), noise(1, 4)], ids=["constant", "one row"])
def test_rows_that_do_not_vary_are_rebuilt(X):
    model = LinearAutoencoder(2).fit(X)
    np.testing.assert_allclose(model.reconstruct(X), X, rtol=1e-6)
    np.testing.assert_array_equal(model.explained_variance_ratio_, 0)


def test_a_full_code_rebuilds_every_row():
    model = LinearAutoencoder(13).fit(StandardScaler().fit_transform(WINE))
    assert model.score(StandardScaler().fit_transform(WINE)) == pytest.approx(1, abs=1e-9)
    assert model.explained_variance_ratio_.sum() == pytest.approx(1, abs=1e-6)


# ---------------------------------------------------------------- in parts


@pytest.mark.parametrize("X", [DIGITS, WINE, WINE + 1e5], ids=["digits", "wine", "wine with an offset"])
def test_partial_fit_on_three_parts_is_fit_on_all(X):
    whole, in_parts = LinearAutoencoder(4).fit(X), LinearAutoencoder(4)
    for rows in np.array_split(X, 3):
        in_parts.partial_fit(rows)
    assert_same_components(in_parts, whole)
    for name in ("explained_variance_", "explained_variance_ratio_", "singular_values_"):
        np.testing.assert_allclose(getattr(in_parts, name), getattr(whole, name), rtol=1e-4)
    np.testing.assert_allclose(in_parts.mean_, whole.mean_, rtol=1e-6)
    codes = whole.transform(X)
    np.testing.assert_allclose(in_parts.transform(X), codes, rtol=1e-3, atol=1e-2 * codes.std(axis=0).min())
    assert in_parts.n_iter_ == 3


def test_fit_after_partial_fit_starts_anew():
    model = LinearAutoencoder(4).partial_fit(DIGITS[:500] + 3)
    np.testing.assert_array_equal(model.fit(DIGITS).components_, LinearAutoencoder(4).fit(DIGITS).components_)


def test_partial_fit_after_fit_goes_on():
    model = LinearAutoencoder(4).fit(DIGITS[:900]).partial_fit(DIGITS[900:])
    assert_same_components(model, PCA(4).fit(DIGITS))


# ---------------------------------------------------------------- scaling


@pytest.mark.parametrize(("scaling", "scaler"), [("standard", StandardScaler()), ("minmax", MinMaxScaler())])
def test_a_scaled_table_has_the_components_of_scikit_learns_scaler(scaling, scaler):
    X = scaler.fit_transform(WINE)
    model, pca = LinearAutoencoder(4, scaling=scaling).fit(WINE), PCA(4).fit(X)
    assert_same_components(model, pca)
    np.testing.assert_allclose(model.explained_variance_, pca.explained_variance_, rtol=1e-4)
    np.testing.assert_allclose(model.transform(WINE), pca.transform(X), rtol=1e-3, atol=1e-4)
    rebuilt = scaler.inverse_transform(pca.inverse_transform(pca.transform(X)))
    np.testing.assert_allclose(model.reconstruct(WINE), rebuilt, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model.mean_, WINE.mean(axis=0), rtol=1e-6)


def test_auto_and_none_have_the_components_of_the_table_itself():
    X = noise(200, 5) * [5, 4, 3, 2, 1] + 3
    for scaling in ("auto", "none"):
        assert_same_components(LinearAutoencoder(3, scaling=scaling).fit(X), PCA(3).fit(X))


# ---------------------------------------------------------------- size of the code


@pytest.mark.parametrize("solver", ["exact", "gradient"])
def test_a_code_longer_than_a_row_is_refused(solver):
    with pytest.raises(ParameterError) as caught:
        LinearAutoencoder(14, solver=solver).fit(WINE)
    message = str(caught.value)
    assert message == "LinearAutoencoder: code_size must be at most the number of columns, n_features = 13; got 14"


@pytest.mark.parametrize(("X", "size"), [(WINE, 13), (DIGITS, 32)])
def test_without_a_size_the_code_is_32_or_as_long_as_a_row(X, size):
    assert LinearAutoencoder().fit(X).code_shape_ == (size,)


# ---------------------------------------------------------------- by gradient


@pytest.fixture(scope="module")
def trained():
    model = LinearAutoencoder(8, solver="gradient", learning_rate=0.03, max_epochs=30, random_state=0)
    return model.fit(DIGITS), PCA(8, svd_solver="full").fit(np.delete(DIGITS, model.held_out_, axis=0))


def test_the_gradient_reaches_pcas_error_on_held_out_rows(trained):
    model, pca = trained
    rows = DIGITS[model.held_out_]
    error = np.square(rows - pca.inverse_transform(pca.transform(rows))).mean()
    assert model.reconstruction_error(rows).mean() == pytest.approx(error, rel=0.01)


def test_components_found_by_gradient_are_close_to_pcas(trained):
    model, pca = trained
    assert cosines(model.components_, pca.components_)[:4].min() >= 0.99
    assert subspace_distance(model.components_[:4], pca.components_) < 0.1
    np.testing.assert_allclose(model.explained_variance_[:4], pca.explained_variance_[:4], rtol=0.01)
    np.testing.assert_allclose(model.explained_variance_ratio_[:4], pca.explained_variance_ratio_[:4], rtol=0.01)
    np.testing.assert_allclose(model.singular_values_[:4], pca.singular_values_[:4], rtol=0.01)
    np.testing.assert_allclose(model.mean_, pca.mean_, atol=1e-4)


def test_components_found_by_gradient_are_orthonormal_and_span_the_decoder(trained):
    model, _ = trained
    np.testing.assert_allclose(model.components_ @ model.components_.T, np.eye(8), atol=1e-5)
    decoder = model.decoder_[0].weight.detach().numpy()
    assert subspace_distance(model.components_, decoder.T) < 1e-4


def test_codes_learned_by_gradient_are_in_the_units_of_the_rows(trained):
    model, _ = trained
    codes = model.transform(DIGITS)
    np.testing.assert_allclose(model.inverse_transform(codes), model.reconstruct(DIGITS), atol=1e-5)
    encoder = model.encoder_[0].weight.detach().numpy()
    np.testing.assert_allclose(codes - codes.mean(axis=0), (DIGITS - DIGITS.mean(axis=0)) @ encoder.T, atol=1e-4)


@pytest.mark.slow
def test_the_gradient_on_all_of_mnist_is_within_a_thousandth_of_pca():
    train, test = (load_mnist(split)[0].reshape(-1, 784) for split in ("train", "test"))
    model = LinearAutoencoder(30, solver="gradient", max_epochs=30, random_state=0).fit(train)
    per_image = model.reconstruction_error(test).mean() * 784 / 255**2
    assert per_image == pytest.approx(13.866, rel=1e-3)
