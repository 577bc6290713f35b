"""Reports of real models: what they state is measured again, and the page is looked at in a real browser."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA

import isthmus
from browser import opened
from isthmus import metrics, report
from isthmus.cli import main
from isthmus.datasets import load_mnist
from isthmus.errors import DataError, ParameterError
from isthmus.report.sample import Compared, sample_of

SHORT = {"max_epochs": 2, "random_state": 0, "device": "cpu"}
HOSTILE = "</script><script>document.title='taken'</script>"


@pytest.fixture(scope="module")
def mnist():
    """Images, labels and a model of them."""
    X, y = (array[:3000] for array in load_mnist("test"))
    return X, y, isthmus.DenseAutoencoder(8, hidden=(64,), **SHORT).fit(X)


@pytest.fixture(scope="module")
def page(mnist, tmp_path_factory):
    """A report of images."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    X, y, model = mnist
    report.write(model, X, y, path=path, name="mnist-test")
    return path


@pytest.fixture(scope="module")
def wine():
    """A table whose names, of columns and of labels, try to leave their place, and a model of it."""
    X, y = load_wine(return_X_y=True, as_frame=True)
    X = X.rename(columns={"ash": "<b>ash"})
    return X, np.array(["red", "white", HOSTILE])[y], isthmus.DenseAutoencoder(3, hidden=(16,), **SHORT).fit(X)


@pytest.fixture(scope="module")
def table(wine, tmp_path_factory):
    """A report of a table."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    X, y, model = wine
    report.write(model, X, y, path=path)
    return path


class Outline(HTMLParser):
    """What a page is made of."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def test_a_page_stands_alone_and_is_small(page):
    text = page.read_text()
    outline = Outline(text)
    assert len(text) < 3_000_000
    assert outline.all("link") == []
    assert all(image["alt"] and image["src"].startswith("data:image/png;base64,") for image in outline.all("img"))
    assert all(figure["aria-label"] for figure in outline.all("svg"))
    assert not any("style" in attributes or "onclick" in attributes for _, attributes in outline.tags)
    assert [attributes["lang"] for attributes in outline.all("html")] == ["en"]
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in outline.all("a")} <= set(ids)


def test_a_page_shows_the_row_under_the_pointer(chromium, page):
    with opened(chromium, page.as_uri()) as seen:
        seen.page.wait_for_selector("#map[data-ready]")
        seen.page.locator("#map").scroll_into_view_if_needed()
        box = seen.page.locator("#map").bounding_box()
        before = seen.pixels("#map")
        seen.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        seen.page.wait_for_selector(".tip:not([hidden])")
        assert re.match(r"Row \d+, label \d, mean squared error [\d,.]+$", seen.page.inner_text(".tip p"))
        assert (seen.pixels("#map") != before).any(axis=2).mean() > 0.02
        assert (seen.pixels(".pair canvas") > 200).any()
        assert seen.complaints == []
        assert seen.requests == [page.as_uri()]


def test_the_row_that_is_said_is_the_row_that_is_shown(chromium, page, mnist):
    X, y, model = mnist
    with opened(chromium, page.as_uri()) as seen:
        seen.page.wait_for_selector("#map[data-ready]")
        seen.page.focus("#map canvas")
        seen.page.keyboard.press("ArrowRight")
        seen.page.keyboard.press("ArrowUp")
        said = seen.page.inner_text("#map-said")
        row, label, error = re.match(r"row (\d+), label (\d), mean squared error ([\d,.]+)$", said).groups()
        row = int(row)
        assert int(label) == y[row]
        assert float(error.replace(",", "")) == pytest.approx(model.reconstruction_error(X[[row]])[0], rel=6e-3)
        drawn = seen.page.evaluate(
            "Array.from(document.querySelector('.pair canvas').getContext('2d').getImageData(0, 0, 84, 84).data)"
        )
        shown = np.array(drawn).reshape(84, 84, 4)[1::3, 1::3, 0]
        assert np.abs(shown - X[row].astype(int)).max() < 8
        seen.page.keyboard.press("Escape")
        assert not seen.page.is_visible(".tip")


def test_labels_can_be_hidden_and_colours_changed(chromium, page):
    with opened(chromium, page.as_uri()) as seen:
        everything = seen.pixels("#map")
        seen.page.click("[data-member='1']")
        assert seen.page.get_attribute("[data-member='1']", "aria-pressed") == "false"
        without = seen.pixels("#map")
        assert (without != everything).any()
        seen.page.click("[data-member='1']")
        seen.page.select_option("#map-colour", "error")
        seen.page.mouse.move(0, 0)
        assert (seen.pixels("#map") != everything).any(axis=2).mean() > 0.01


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_fits_and_follows_the_system(chromium, page, table, width, scheme):
    for one in (page, table):
        with opened(chromium, one.as_uri(), width, color_scheme=scheme) as seen:
            assert seen.overflow() <= 0
            assert (seen.pixels("#map")[5, 5].mean() < 100) == (scheme == "dark")
            assert seen.complaints == []


def test_a_table_is_shown_by_its_columns_and_nothing_leaves_its_place(chromium, table, wine):
    with opened(chromium, table.as_uri()) as seen:
        assert seen.page.title() == "DenseAutoencoder on data"
        seen.page.focus("#map canvas")
        seen.page.keyboard.press("ArrowLeft")
        names = seen.page.locator(".tip tr td:first-child").all_inner_texts()
        assert names[1:] == [name for name in wine[0].columns if name in names]
        assert HOSTILE in seen.page.inner_text(".legend")
        assert seen.page.locator("b", has_text="ash").count() == 0
        assert seen.complaints == []


def test_a_card_states_what_is_measured(mnist):
    X, y, model = mnist
    card = report.card(model, X, y, name="digits")
    assert card["error"]["mean_squared_error"] == pytest.approx(model.reconstruction_error(X).mean())
    assert card["error"]["explained_variance"] == pytest.approx(model.score(X))
    unseen = np.sort(np.random.RandomState(0).permutation(3000)[:600])
    flat = X.reshape(3000, -1).astype(float)
    pca = PCA(8, svd_solver="full").fit(np.delete(flat, unseen, axis=0))
    rebuilt = pca.inverse_transform(pca.transform(flat[unseen]))
    found = card["error"]["beside_pca"]["pca"]["mean_squared_error"]
    assert found == pytest.approx(np.square(flat[unseen] - rebuilt).mean(), rel=1e-4)
    assert card["training"]["epochs"] == 2
    assert card["training"]["provenance"]["seed"] == 0
    assert card["data"] == {"name": "digits", "rows": 3000, "rows_measured": 3000, "labelled": True}
    assert sorted(one["number"] for one in card["coordinates"]) == list(range(1, 9))
    assert "random_state" in card["model"]["changed"]
    assert [one["sentence"] for one in card["health"]] == [one.sentence for one in isthmus.health.examine(model, X)]


def test_columns_that_are_scaled_count_by_their_spread(wine):
    X, _, model = wine
    card = report.card(model, X)
    scaling = model.scaling_
    rows, rebuilt = ((table - scaling.offset.numpy()) / scaling.scale.numpy() for table in (X, model.reconstruct(X)))
    rows, rebuilt = np.asarray(rows), np.asarray(rebuilt)
    assert card["error"]["units"] == "columns scaled by their spread"
    assert card["error"]["mean_squared_error"] == pytest.approx(np.square(rows - rebuilt).mean(), rel=1e-5)
    unseen = np.sort(np.random.RandomState(0).permutation(178)[:35])
    pca = PCA(3, svd_solver="full").fit(np.delete(rows, unseen, axis=0))
    expected = np.square(rows[unseen] - pca.inverse_transform(pca.transform(rows[unseen]))).mean()
    assert card["error"]["beside_pca"]["pca"]["mean_squared_error"] == pytest.approx(expected, rel=1e-4)
    added = metrics.importance_order(Compared(sample_of(model, X, None)), rows, n_samples=None).added
    assert [one["explained_variance_added"] for one in card["coordinates"]] == pytest.approx(added.tolist(), rel=1e-6)


def test_a_large_source_is_sampled_and_the_page_says_so(mnist, tmp_path, monkeypatch):
    X, _, model = mnist
    monkeypatch.setattr("isthmus.report.sample._MOST_ROWS", 500)
    report.write(model, X, path=tmp_path / "report.html")
    assert "Measured on 500 of 3,000 rows, drawn at random" in (tmp_path / "report.html").read_text()


def test_every_variant_has_a_page(fitted, rows, tmp_path):
    report.write(fitted, rows, np.linspace(0, 1, len(rows)), path=tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert type(fitted).__name__ in text
    assert ("KL, nats" in text) == hasattr(fitted, "kl_per_unit_")


@pytest.mark.parametrize("size", [1, 2])
def test_short_codes_have_a_page(rows, tmp_path, size):
    gaps = rows.copy()
    gaps[3, 4] = np.nan
    model = isthmus.DenseAutoencoder(size, hidden=(8,), **SHORT).fit(gaps)
    report.write(model, gaps, path=tmp_path / "report.html")
    report.write(model, gaps, path=tmp_path / "report.json")
    assert "code 1" in (tmp_path / "report.html").read_text()
    assert json.loads((tmp_path / "report.json").read_text())["model"]["code_size"] == size


def test_refusals(mnist, tmp_path):
    X, y, model = mnist
    with pytest.raises(ParameterError, match=r"path must end in \.html or \.json; got"):
        report.write(model, X, path=tmp_path / "report.pdf")
    with pytest.raises(DataError, match="y must have one label for each of the 3000 rows"):
        report.write(model, X, y[:-1], path=tmp_path / "report.html")
    (tmp_path / "report.html").touch()
    with pytest.raises(FileExistsError, match="exists"):
        report.write(model, X, path=tmp_path / "report.html")


def test_the_command_writes_the_page_and_the_card(mnist, tmp_path, capsys, monkeypatch):
    X, y, model = mnist
    monkeypatch.chdir(tmp_path)
    model.save("model.safetensors")
    np.save("rows.npy", X[:300])
    np.save("labels.npy", y[:300])
    main(["report", "model.safetensors", "rows.npy", "--labels", "labels.npy"])
    main(["report", "model.safetensors", "rows.npy", "-o", "card.json"])
    assert capsys.readouterr().out.split() == ["report.html", "card.json"]
    assert "isthmus.load(&#39;model.safetensors&#39;)" in (tmp_path / "report.html").read_text()
    assert json.loads((tmp_path / "card.json").read_text())["data"]["name"] == "rows.npy"
    with pytest.raises(SystemExit, match="2"):
        main(["report", "model.safetensors", "rows.npy"])
    assert "exists; pass --overwrite" in capsys.readouterr().err
