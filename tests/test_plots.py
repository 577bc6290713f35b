"""The figures show what the model gives: real models, real figures, every pixel and bar compared."""

import subprocess
import sys
from dataclasses import replace
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy.stats import norm
from sklearn.datasets import load_wine
from sklearn.exceptions import NotFittedError

import isthmus
from isthmus.datasets import load_digits
from isthmus.errors import DataError, ParameterError
from isthmus.plots import (
    CodesDisplay,
    CodeSizeCurveDisplay,
    FiltersDisplay,
    HistoryDisplay,
    ManifoldDisplay,
    ReconstructionsDisplay,
    TraversalDisplay,
    plot_codes,
    plot_filters,
    plot_history,
    plot_manifold,
    plot_reconstructions,
    plot_traversal,
)
from isthmus.records import Epoch

IMAGES, DIGITS = (array[:200] for array in load_digits())
WINE, WINES = load_wine(return_X_y=True)
SHORT = {"max_epochs": 1, "random_state": 0, "device": "cpu"}


@pytest.fixture(scope="module")
def dense():
    return isthmus.DenseAutoencoder(5, hidden=(16,), **SHORT).fit(IMAGES)


@pytest.fixture(scope="module")
def convolutional():
    return isthmus.ConvolutionalAutoencoder(**SHORT).fit(IMAGES)


@pytest.fixture(scope="module")
def wine():
    return {size: isthmus.DenseAutoencoder(size, hidden=(8,), **SHORT).fit(WINE) for size in (1, 2, 3)}


def drawn(figure):
    """Lay the figure out as a file would; a warning is an error."""
    figure.draw_without_rendering()
    return figure


def rows_of(figure):
    axes = np.array(drawn(figure).axes)
    return axes.reshape(3, -1)


def pixels(row):
    return np.stack([np.ma.filled(axes.images[0].get_array(), np.nan) for axes in row])


def bars(row):
    return np.stack([axes.patches[0].get_data().values[::2] for axes in row])


def titles(rows):
    return [row[0].texts[0].get_text() for row in rows]


def points(axes):
    return np.concatenate([np.ma.filled(dots.get_offsets(), np.nan) for dots in axes.collections])


def epochs(*losses, held_out=True, **terms):
    """A history of these losses, with the held-out ones a half higher."""
    rest = {"mse": 0.1, "validation_mse": None, "denoising_loss": None, "learning_rate": 0.1}
    rest |= {"validation_losses": terms, "seconds": 1.0, "engine": "chain"}
    return [
        Epoch(i, loss, {"reconstruction": loss} | terms, validation_loss=loss + 0.5 if held_out else None, **rest)
        for i, loss in enumerate(losses, 1)
    ]


def with_history(model, history):
    other = isthmus.DenseAutoencoder()
    other.module_, other.history_ = model.module_, history
    return other


# ---------------------------------------------------------------- reconstructions


@pytest.mark.parametrize("n", [1, 5])
def test_images_feature_maps_and_reconstructions_are_drawn_as_they_are(convolutional, n):
    rows = rows_of(plot_reconstructions(convolutional, IMAGES, n=n))
    assert rows.shape == (3, n)
    np.testing.assert_array_equal(pixels(rows[0]), IMAGES[:n])
    np.testing.assert_allclose(pixels(rows[1]), convolutional.transform(IMAGES[:n]).reshape(n, 2, 2))
    np.testing.assert_allclose(pixels(rows[2]), convolutional.reconstruct(IMAGES[:n]))
    assert titles(rows) == ["original\n8 x 8", "code\n2 x 2", "reconstruction\n8 x 8"]


def test_originals_and_reconstructions_share_one_scale(convolutional):
    rows = rows_of(plot_reconstructions(convolutional, IMAGES, n=4))
    rebuilt = convolutional.reconstruct(IMAGES[:4])
    limits = {axes.images[0].get_clim() for axes in [*rows[0], *rows[2]]}
    assert limits == {(min(0, rebuilt.min()), max(255, rebuilt.max()))}
    assert len({axes.images[0].get_clim() for axes in rows[1]}) == 1


@pytest.mark.parametrize("n", [1, 5, 20])
def test_nothing_overlaps_and_the_columns_are_aligned(dense, n):
    figure = plot_reconstructions(dense, IMAGES, n=n)
    rows = rows_of(figure)
    boxes = np.array([[axes.get_position().extents for axes in row] for row in rows])
    left, bottom, right, top = np.moveaxis(boxes, -1, 0)
    assert (right[:, :-1] < left[:, 1:]).all()
    assert (top[1:] < bottom[:-1]).all()
    np.testing.assert_allclose(left, np.broadcast_to(left[0], left.shape))
    for row in rows:
        title, cells = row[0].texts[0].get_window_extent(), row[0].get_tightbbox()
        ticks = [label.get_window_extent().x0 for label in row[0].get_yticklabels() if row[0].yaxis.get_visible()]
        assert title.x0 > 0
        assert title.x1 < min([row[0].get_window_extent().x0, *ticks])
        assert cells.x1 <= figure.bbox.x1
    assert 2 < figure.get_figwidth() < 20


def test_a_vector_code_is_bars_on_a_common_scale_with_a_zero_line(dense):
    rows = rows_of(plot_reconstructions(dense, IMAGES, n=3))
    np.testing.assert_allclose(bars(rows[1]), dense.transform(IMAGES[:3]))
    assert len({axes.get_ylim() for axes in rows[1]}) == 1
    assert all(list(axes.lines[0].get_ydata()) == [0, 0] for axes in rows[1])
    assert titles(rows)[1] == "code\n5 numbers"


def test_columns_that_are_scaled_one_by_one_are_drawn_scaled(wine):
    rows = rows_of(plot_reconstructions(wine[1], WINE, n=2))
    scaling = wine[1].scaling_
    offset, scale = scaling.offset.numpy(), scaling.scale.numpy()
    np.testing.assert_allclose(bars(rows[0]), (WINE[:2] - offset) / scale)
    np.testing.assert_allclose(bars(rows[2]), (wine[1].reconstruct(WINE[:2]) - offset) / scale, atol=1e-6)
    assert len({axes.get_ylim() for axes in [*rows[0], *rows[2]]}) == 1
    assert titles(rows) == ["original\n13 columns\nscaled", "code\n1 number", "reconstruction\n13 columns\nscaled"]


def test_other_columns_are_drawn_in_their_units():
    model = isthmus.LinearAutoencoder(2).fit(WINE)
    rows = rows_of(plot_reconstructions(model, WINE, n=2))
    np.testing.assert_allclose(bars(rows[0]), WINE[:2])
    assert titles(rows)[0] == "original\n13 columns"


def test_columns_that_the_model_sees_as_an_image_are_drawn_as_one():
    flat = IMAGES.reshape(len(IMAGES), -1)
    model = isthmus.ConvolutionalAutoencoder(image_shape=(8, 8), **SHORT).fit(flat)
    rows = rows_of(plot_reconstructions(model, flat, n=2))
    np.testing.assert_array_equal(pixels(rows[0]), IMAGES[:2])
    assert titles(rows) == ["original\n8 x 8", "code\n2 x 2", "reconstruction\n8 x 8"]


def test_columns_that_are_a_signal_are_bars_and_their_code_too():
    flat = IMAGES.reshape(len(IMAGES), -1)
    model = isthmus.ConvolutionalAutoencoder(**SHORT).fit(flat)
    rows = rows_of(plot_reconstructions(model, flat, n=2))
    np.testing.assert_allclose(bars(rows[1]), model.transform(flat[:2]))
    assert titles(rows)[1] == "code\n16 numbers"


def test_channels_of_a_feature_map_are_tiles_with_gaps():
    model = isthmus.ConvolutionalAutoencoder(channels=(4, 3), **SHORT).fit(IMAGES)
    rows = rows_of(plot_reconstructions(model, IMAGES, n=2))
    tiles, codes = pixels(rows[1]), model.transform(IMAGES[:2]).reshape(2, 2, 2, 3)
    assert tiles.shape == (2, 5, 5)
    for channel, (top, left) in enumerate([(0, 0), (0, 3), (3, 0)]):
        np.testing.assert_allclose(tiles[:, top : top + 2, left : left + 2], codes[..., channel])
    assert np.isnan(tiles[:, 2]).all()
    assert np.isnan(tiles[:, :, 2]).all()
    assert np.isnan(tiles[:, 3:, 3:]).all()
    assert titles(rows)[1] == "code\n2 x 2 x 3"


@pytest.mark.parametrize(("factor", "dtype"), [(1, np.uint8), (1 / 255, np.float32), (4.0, np.float32)])
def test_colours_are_shown_within_the_range_of_their_type(factor, dtype):
    colours = (np.stack([IMAGES, 255 - IMAGES, IMAGES // 2], axis=-1) * factor).astype(dtype)
    model = isthmus.DenseAutoencoder(4, hidden=(8,), **SHORT).fit(colours)
    rows = rows_of(plot_reconstructions(model, colours, n=2))
    np.testing.assert_allclose(pixels(rows[0]), colours[:2] / (255.0 * factor), atol=1e-6)
    np.testing.assert_allclose(
        pixels(rows[2]), np.clip(model.reconstruct(colours[:2]) / (255 * factor), 0, 1), atol=1e-6
    )
    assert titles(rows)[0] == "original\n8 x 8 x 3"


def test_a_code_of_zeros_has_a_scale(dense):
    model = isthmus.DenseAutoencoder(2, hidden=(8,), **SHORT).fit(IMAGES)
    for values in model.encoder_.parameters():
        values.data.zero_()
    rows = rows_of(plot_reconstructions(model, IMAGES, n=2))
    assert (bars(rows[1]) == 0).all()
    drawn(plot_codes(model, IMAGES, DIGITS))


def test_more_rows_than_there_are_draws_all_of_them(dense):
    assert len(plot_reconstructions(dense, IMAGES[:3], n=10).axes) == 9


def test_lists_and_tables_with_names_are_taken(dense):
    assert len(plot_reconstructions(dense, IMAGES[:3].tolist(), n=2).axes) == 6
    table = pd.DataFrame(WINE, columns=[f"column {i}" for i in range(13)])
    model = isthmus.DenseAutoencoder(2, hidden=(8,), **SHORT).set_output(transform="pandas").fit(table)
    assert len(plot_reconstructions(model, table, n=2).axes) == 6
    assert (
        plot_codes(model, table, pd.Series(WINES, name="cultivar")).axes[0].get_legend().get_title().get_text()
        == "cultivar"
    )


@pytest.mark.parametrize("n", [0, -1, 2.5, "many", None, True])
def test_a_number_of_rows_that_is_none_is_refused(dense, n):
    with pytest.raises(ParameterError, match=r"n must be an integer of at least 1; got") as caught:
        plot_reconstructions(dense, IMAGES, n=n)
    assert repr(n) in str(caught.value)


# ---------------------------------------------------------------- history


def test_both_losses_of_every_epoch_are_drawn_and_the_best_is_marked(dense):
    model = with_history(dense, epochs(5.0, 3.0, 4.0))
    (axes,) = drawn(plot_history(model)).axes
    training, held_out, best = axes.lines
    assert training.get_xydata().tolist() == [[1, 5], [2, 3], [3, 4]]
    assert held_out.get_xydata().tolist() == [[1, 5.5], [2, 3.5], [3, 4.5]]
    assert best.get_xydata().tolist() == [[2, 3.5]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training", "held-out", "best epoch: 2"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss per row (scaled units)")


def test_the_legend_is_outside_the_lines(dense):
    figure = drawn(plot_history(with_history(dense, epochs(5.0, 3.0, 4.0))))
    (axes,) = figure.axes
    assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1
    assert axes.get_legend().get_window_extent().y1 <= figure.bbox.y1


def test_one_epoch_is_a_marker_and_a_whole_number_on_the_axis(dense):
    (axes,) = drawn(plot_history(dense)).axes
    assert axes.lines[0].get_marker() == "o"
    assert axes.get_xlim() == (0.5, 1.5)
    assert [tick for tick in axes.get_xticks() if 0.5 <= tick <= 1.5] == [1]


def test_without_held_out_rows_the_training_loss_is_the_judge(dense):
    (axes,) = drawn(plot_history(with_history(dense, epochs(5.0, 3.0, 4.0, held_out=False)))).axes
    assert [line.get_label() for line in axes.lines] == ["training", "best epoch: 2"]


def test_epochs_without_held_out_rows_leave_a_gap(dense):
    history = epochs(5.0, 3.0, 4.0)
    history[2] = replace(history[2], loss=1.0, validation_loss=None)
    (axes,) = drawn(plot_history(with_history(dense, history))).axes
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), [5.5, 3.5, np.nan])
    assert axes.lines[2].get_label() == "best epoch: 2"


@pytest.mark.parametrize(("losses", "scale"), [((9.0, 2.0), "linear"), ((50.0, 2.0), "log"), ((9.0, 0.0), "linear")])
def test_more_than_a_decade_is_drawn_logarithmically(dense, losses, scale):
    assert drawn(plot_history(with_history(dense, epochs(*losses)))).axes[0].get_yscale() == scale


def test_other_terms_of_the_loss_have_their_own_panel(dense):
    loss, terms = drawn(plot_history(with_history(dense, epochs(5.0, 4.0, kl=0.01, sparsity=2.0)))).axes
    assert len(loss.lines) == 3
    assert [text.get_text() for text in terms.get_legend().get_texts()] == ["kl", "sparsity"]
    assert terms.lines[0].get_ydata().tolist() == [0.01, 0.01]
    assert terms.get_yscale() == "log"
    assert "term of the loss per row" in terms.get_ylabel()


def test_a_model_without_epochs_has_no_history(dense):
    with pytest.raises(DataError, match="history_") as caught:
        plot_history(with_history(dense, []))
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- codes


def test_two_numbers_are_drawn_as_they_are(wine):
    (axes,) = drawn(plot_codes(wine[2], WINE, WINES)).axes
    np.testing.assert_allclose(np.sort(points(axes), axis=0), np.sort(wine[2].transform(WINE), axis=0))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("code 1", "code 2")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["0", "1", "2"]


def test_each_point_has_the_colour_of_its_label(wine):
    (axes,) = drawn(plot_codes(wine[2], WINE, WINES)).axes
    cloud, *legend = axes.collections
    colours = {tuple(handle.get_facecolor()[0, :3]): label for label, handle in enumerate(legend)}
    assert len(colours) == 3
    codes = {tuple(code): label for code, label in zip(wine[2].transform(WINE).astype(float), WINES, strict=True)}
    for place, colour in zip(cloud.get_offsets(), cloud.get_facecolor(), strict=True):
        assert codes[tuple(place)] == colours[tuple(colour[:3])]


def test_longer_codes_are_drawn_by_their_principal_components(wine):
    (axes,) = drawn(plot_codes(wine[3], WINE)).axes
    codes = wine[3].transform(WINE).astype(float)
    values = np.linalg.eigvalsh(np.cov(codes.T))[::-1]
    np.testing.assert_allclose(np.var(points(axes), axis=0, ddof=1), values[:2], rtol=1e-6)
    assert axes.get_xlabel() == f"principal component 1 of the codes ({values[0] / values.sum():.1%} of variance)"
    assert axes.get_legend() is None


def test_one_number_is_a_histogram_of_each_label(wine):
    (axes,) = drawn(plot_codes(wine[1], WINE, WINES)).axes
    assert [patch.get_data().values.sum() for patch in axes.patches] == np.bincount(WINES).tolist()
    (axes,) = drawn(plot_codes(wine[1], WINE)).axes
    assert axes.patches[0].get_data().values.sum() == len(WINE)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("code 1", "rows")


@pytest.mark.parametrize("size", [1, 2, 3])
def test_continuous_labels_have_a_colour_bar(wine, size):
    axes, bar = drawn(plot_codes(wine[size], WINE, WINE[:, 0])).axes
    np.testing.assert_array_equal(axes.collections[0].get_array(), WINE[:, 0])
    assert bar.get_ylabel() == "label"
    assert axes.get_legend() is None


def test_twenty_classes_are_told_apart_by_colour_and_marker(wine):
    names = np.array([f"class {i % 20:02}" for i in range(len(WINE))])
    figure = drawn(plot_codes(wine[2], WINE, names))
    (axes,) = figure.axes
    circles, triangles, *legend = axes.collections
    assert len(circles.get_offsets()) + len(triangles.get_offsets()) == len(WINE)
    styles = {(tuple(dots.get_facecolor()[0]), dots.get_paths()[0].vertices.tobytes()) for dots in legend}
    assert len(styles) == 20
    box = axes.get_legend().get_window_extent()
    assert box.y0 >= 0
    assert box.x1 <= figure.bbox.x1


def test_many_points_are_small_and_stay_pixels_in_a_vector_file(dense):
    many = np.tile(IMAGES, (50, 1, 1))
    figure = plot_codes(dense, many, np.tile(DIGITS, 50))
    few = plot_codes(dense, IMAGES).axes[0].collections[0]
    cloud = figure.axes[0].collections[0]
    assert cloud.get_sizes()[0] < few.get_sizes()[0]
    assert cloud.get_alpha() < few.get_alpha()
    file = BytesIO()
    figure.savefig(file, format="svg")
    assert file.tell() < 300_000


def test_one_row_has_a_place(dense):
    assert len(points(drawn(plot_codes(dense, IMAGES[:1], ["three"])).axes[0])) == 1


@pytest.mark.parametrize("labels", [DIGITS[:-1], np.zeros((200, 2)), 3])
def test_labels_that_are_not_one_for_each_row_are_refused(dense, labels):
    with pytest.raises(DataError, match="y must have one label for each of the 200 rows of X; got shape"):
        plot_codes(dense, IMAGES, labels)


def test_too_many_names_are_refused(dense):
    with pytest.raises(DataError, match="at most 20 classes; got 200 classes"):
        plot_codes(dense, IMAGES, [f"row {i}" for i in range(200)])


def test_missing_names_are_a_class_of_their_own(dense):
    labels = np.array(["odd" if digit % 2 else None for digit in DIGITS], dtype=object)
    (axes,) = plot_codes(dense, IMAGES, labels).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["None", "odd"]


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize("plot", [plot_reconstructions, plot_codes, lambda model, X: plot_history(model)])
def test_a_model_that_is_not_fitted_is_refused(plot):
    with pytest.raises(NotFittedError):
        plot(isthmus.DenseAutoencoder(), IMAGES)


def test_neither_the_import_nor_a_figure_brings_more_than_it_needs():
    code = f"""
import sys
from sklearn.base import BaseEstimator
from isthmus.plots import plot_history
from isthmus.records import Epoch
assert not {{"matplotlib", "torch"}} & sys.modules.keys()

class Model(BaseEstimator):
    def fit(self, X): ...

model = Model()
model.history_ = [{epochs(1.0)[0]}]
plot_history(model)
assert "matplotlib.figure" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# ---------------------------------------------------------------- traversals


@pytest.fixture(scope="module")
def plane():
    """A variational model of small images with a code of two numbers, and the images."""
    images = isthmus.datasets.load_digits()[0][:200]
    model = isthmus.VariationalAutoencoder(2, hidden=(16,), beta=0.1, max_epochs=30, random_state=0)
    return model.fit(images), images


def test_a_manifold_shows_the_decoded_quantiles_of_the_prior(plane):
    model, _ = plane
    shown = plot_manifold(model, n=4).axes[0].images[0].get_array()
    low, high = norm.ppf(0.125), norm.ppf(0.875)
    corners = model.inverse_transform([[low, high], [high, high], [low, low], [high, low]])
    np.testing.assert_allclose(shown[:8, :8], corners[0], rtol=1e-4)
    np.testing.assert_allclose(shown[:8, -8:], corners[1], rtol=1e-4)
    np.testing.assert_allclose(shown[-8:, :8], corners[2], rtol=1e-4)
    np.testing.assert_allclose(shown[-8:, -8:], corners[3], rtol=1e-4)


@pytest.mark.parametrize("n", [1, 2.5, "many"])
def test_a_manifold_of_no_places_is_refused(plane, n):
    with pytest.raises(ParameterError, match="at least 2"):
        plot_manifold(plane[0], n=n)


def test_a_manifold_needs_a_prior_images_and_two_numbers(plane):
    _, images = plane
    with pytest.raises(ParameterError, match="VariationalAutoencoder"):
        plot_manifold(isthmus.DenseAutoencoder(2, max_epochs=1).fit(images))
    with pytest.raises(DataError, match="2 numbers"):
        plot_manifold(isthmus.VariationalAutoencoder(3, max_epochs=1).fit(images))
    with pytest.raises(DataError, match="images"):
        plot_manifold(isthmus.VariationalAutoencoder(2, max_epochs=1).fit(images.reshape(200, -1)))


def test_traversals_move_one_number_at_a_time(plane):
    model, images = plane
    figure = plot_traversal(model, images, steps=5)
    assert len(figure.axes) == 10
    codes = model.transform(images)
    moved = int(model.kl_per_unit_.argmax())
    code = np.median(codes, axis=0)
    code[moved] = np.percentile(codes[:, moved], 98)
    np.testing.assert_allclose(figure.axes[4].images[0].get_array(), model.inverse_transform([code])[0], rtol=1e-3)


def test_traversals_of_a_table_are_bars_and_of_a_wide_code_the_first_sixteen():
    rows = np.random.RandomState(0).randn(50, 20)
    model = isthmus.LinearAutoencoder(18).fit(rows)
    assert len(plot_traversal(model, rows, steps=2).axes) == 32


# ---------------------------------------------------------------- filters


def test_filters_are_the_first_weights_the_longest_first(dense):
    weights = next(dense.encoder_.parameters()).detach().numpy()
    longest = weights[np.linalg.norm(weights, axis=1).argmax()].reshape(8, 8)
    figure = drawn(plot_filters(dense, n=6))
    assert len(figure.axes) == 6
    image = figure.axes[0].images[0]
    np.testing.assert_allclose(image.get_array(), longest / np.abs(longest).max(), rtol=1e-6)
    assert image.get_clim() == (-1, 1)


def test_filters_of_convolutions_are_kernels_and_of_tables_a_heat_map(convolutional, wine):
    assert {axes.images[0].get_array().shape for axes in drawn(plot_filters(convolutional)).axes} == {(3, 3)}
    axes = drawn(plot_filters(wine[2])).axes
    assert [one.images[0].get_array().shape for one in axes] == [(8, 13)]
    assert axes[0].get_xticklabels()[1].get_text() == "x1"


def test_filters_are_refused_where_there_are_none(dense):
    with pytest.raises(ParameterError, match="n must be an integer of at least 1; got 0"):
        plot_filters(dense, n=0)
    signals = isthmus.ConvolutionalAutoencoder(channels=(2,), **SHORT).fit(IMAGES[:50, 0])
    with pytest.raises(DataError, match="no dense layer or convolution of images"):
        plot_filters(signals)


# ---------------------------------------------------------------- displays


@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_displays_draw_into_axes_of_the_user_and_again(plane, kind):
    model, images = plane
    figure = Figure((12, 16), layout="constrained")
    places = iter(figure.subplots(4, 2).flat)
    displays = [
        CodesDisplay.from_estimator(model, images, ax=next(places)),
        HistoryDisplay.from_estimator(model, ax=next(places)),
        ManifoldDisplay.from_estimator(model, n=4, ax=next(places)),
        TraversalDisplay.from_estimator(model, images, steps=5, ax=next(places)),
        ReconstructionsDisplay.from_estimator(model, images, n=4, ax=next(places)),
        FiltersDisplay.from_estimator(model, n=9, ax=next(places)),
        CodeSizeCurveDisplay.from_estimator(
            isthmus.DenseAutoencoder(**SHORT), images, (2, 4), random_state=0, ax=next(places)
        ),
    ]
    assert all(display.figure_ is figure for display in displays)
    assert [np.size(display.ax_) for display in displays] == [1, 2, 1, 10, 12, 12, 2]
    figure.savefig(written := BytesIO(), format=kind)
    assert len(written.getvalue()) > 10_000
    again = displays[0].plot()
    assert again is displays[0]
    assert again.figure_ is not figure
    np.testing.assert_allclose(points(again.ax_), points(plot_codes(model, images).axes[0]))


def test_several_axes_want_a_place_in_a_grid(dense):
    loose = Figure().add_axes((0, 0, 1, 1))
    assert CodesDisplay.from_estimator(dense, IMAGES, ax=loose).ax_ is loose
    with pytest.raises(ParameterError, match="ax must be of a grid"):
        ReconstructionsDisplay.from_estimator(dense, IMAGES, ax=loose)
