"""The concrete autoencoder: its code is a choice of columns, and a good one."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import isthmus
from isthmus.errors import ParameterError

K = 6


@pytest.fixture(params=[load_breast_cancer, load_digits], ids=["table", "digits"], scope="module")
def table(request):
    """Training and held-out rows with names; columns that are nearly constant are left out."""
    data = request.param(as_frame=True).data.head(600)
    return train_test_split(data.loc[:, data.nunique() > 5], test_size=0.3, random_state=0)


@pytest.fixture(scope="module")
def fitted(table):
    return isthmus.ConcreteAutoencoder(K, random_state=0).fit(table[0])


def regression_error(columns, train, test):
    scaler = StandardScaler().fit(train)
    train, test = scaler.transform(train), scaler.transform(test)
    return np.square(LinearRegression().fit(train[:, columns], train).predict(test[:, columns]) - test).mean()


def test_the_code_is_columns_of_x_in_its_units(fitted, table):
    chosen = fitted.get_support(indices=True)
    np.testing.assert_allclose(fitted.transform(table[1]), table[1].to_numpy()[:, chosen], rtol=1e-5, atol=1e-5)


def test_the_columns_are_distinct_and_named(fitted, table):
    chosen = fitted.get_support(indices=True)
    assert len(set(chosen)) == K
    assert sorted(np.flatnonzero(fitted.get_support())) == sorted(chosen)
    assert list(fitted.get_feature_names_out()) == list(table[1].columns[chosen])


def test_the_columns_rebuild_the_table_better_than_columns_at_random(fitted, table):
    random = np.random.RandomState(0)
    others = [regression_error(random.permutation(table[0].shape[1])[:K], *table) for _ in range(20)]
    assert regression_error(fitted.get_support(indices=True), *table) < min(others)


def test_the_decoder_comes_near_to_linear_regression_on_the_columns(fitted, table):
    unit = table[0].to_numpy().std(axis=0)
    own = np.square((fitted.reconstruct(table[1]) - table[1].to_numpy()) / unit).mean()
    assert own < 1.3 * regression_error(fitted.get_support(indices=True), *table)


def test_codes_come_back_as_rows(fitted, table):
    rebuilt = fitted.inverse_transform(fitted.transform(table[1]))
    np.testing.assert_allclose(rebuilt, fitted.reconstruct(table[1]), rtol=1e-4, atol=1e-4)


def test_the_selection_goes_through_a_file(fitted, table, tmp_path):
    fitted.save(tmp_path / "model.safetensors")
    loaded = isthmus.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.get_support(indices=True), fitted.get_support(indices=True))
    assert list(loaded.set_output(transform="pandas").transform(table[1]).columns) == list(
        fitted.get_feature_names_out()
    )


def test_more_columns_than_there_are_cannot_be_chosen(table):
    columns = table[0].shape[1]
    with pytest.raises(ParameterError, match=f"n_features = {columns}"):
        isthmus.ConcreteAutoencoder(columns + 1).fit(table[0])


def test_all_columns_can_be_chosen_even_if_some_are_constant():
    rows = pd.DataFrame({"a": np.arange(40.0), "b": np.ones(40), "c": np.zeros(40)})
    model = isthmus.ConcreteAutoencoder(3, max_epochs=1, random_state=0).fit(rows)
    assert sorted(model.get_support(indices=True)) == [0, 1, 2]
