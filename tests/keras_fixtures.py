"""Writes the models that tests/test_keras.py reads, with real Keras of one generation: run it where Keras is installed.

    python tests/keras_fixtures.py tests/fixtures/keras

Keras 3 makes ``keras3.zip``, Keras 2 ``keras2.zip``. Each model has random weights; beside its files lies ``NAME.npz``
with rows and with what Keras itself makes of them.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers

THREE = keras.__version__.startswith("3")
SLOPE = "negative_slope" if THREE else "alpha"
EVERY_FORMAT = ("article_convolutional", "article_dense", "nested")


def article_convolutional():
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, (3, 3), activation="relu", padding="same"),
            layers.MaxPooling2D((2, 2), padding="same"),
            layers.Conv2D(1, (3, 3), activation="relu", padding="same"),
            layers.MaxPooling2D((2, 2), padding="same"),
            layers.Conv2D(1, (3, 3), activation="relu", padding="same"),
            layers.UpSampling2D((2, 2)),
            layers.Conv2D(16, (3, 3), activation="relu", padding="same"),
            layers.UpSampling2D((2, 2)),
            layers.Conv2D(1, (3, 3), padding="same"),
        ]
    )


def article_dense():
    rows = values = keras.Input((24,))
    for size in (12, 8, 4, 8, 12):
        values = layers.Dense(size, activation="relu")(values)
    return keras.Model(rows, layers.Dense(24, activation="sigmoid")(values))


def strided():
    rows = keras.Input((10, 14, 2))
    values = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(rows)
    values = layers.Conv2D(6, 4, strides=(1, 2), padding="same", groups=2)(values)
    values = layers.Flatten()(values)
    values = layers.Dense(5, name="code")(values)
    values = layers.Dense(5 * 4 * 6, activation="relu")(values)
    values = layers.Reshape((5, -1, 6))(values)
    values = layers.Conv2DTranspose(4, 4, strides=(1, 2), padding="same", activation="relu")(values)
    values = layers.Conv2DTranspose(3, 3, strides=2, padding="same", use_bias=False)(values)
    values = layers.Cropping2D(((0, 0), (1, 1)))(values)
    return keras.Model(rows, layers.Conv2D(2, 2, padding="same", dilation_rate=2)(values))


def valid():
    rows = keras.Input((11, 9, 1))
    values = layers.ZeroPadding2D(((1, 2), (0, 1)))(rows)
    values = layers.Conv2D(3, (3, 2), activation="tanh")(values)
    values = layers.Conv2D(2, 2, strides=2)(values)
    values = layers.MaxPooling2D(3, strides=1)(values)
    values = layers.Conv2DTranspose(2, 3)(values)
    values = layers.Conv2DTranspose(3, (2, 1), strides=2)(values)
    values = layers.Conv2DTranspose(1, (1, 2), strides=(1, 1))(values)
    return keras.Model(rows, layers.Cropping2D(((0, 1), (0, 0)))(values))


def normalised():
    rows = keras.Input((8, 8, 3))
    values = layers.GaussianNoise(0.1)(rows)
    values = layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(values)
    values = layers.BatchNormalization()(values)
    values = layers.LeakyReLU(**{SLOPE: 0.2})(values)
    values = layers.Dropout(0.2)(values)
    values = layers.Flatten()(values)
    values = layers.Dense(6)(values)
    values = layers.BatchNormalization(scale=False, momentum=0.9)(values)
    values = layers.Activation("tanh")(values)
    values = layers.Dense(8 * 8)(values)
    values = layers.BatchNormalization(center=False, epsilon=1e-2)(values)
    values = layers.ELU(alpha=0.7)(values)
    values = layers.Reshape((8, 8, 1))(values)
    return keras.Model(rows, layers.Conv2DTranspose(3, 2, padding="same", activation="sigmoid")(values))


def bilinear():
    rows = keras.Input((9, 6, 2))
    values = layers.Conv2D(3, 1, activation="relu")(rows)
    values = layers.AveragePooling2D(3, strides=2, padding="same")(values)
    values = layers.AveragePooling2D(2, strides=1, padding="same")(values)
    values = layers.MaxPooling2D((4, 2), strides=(2, 1), padding="same")(values)
    values = layers.Conv2D(1, 2, padding="same", name="code")(values)
    values = layers.UpSampling2D((3, 2), interpolation="bilinear")(values)
    values = layers.Conv2D(2, (3, 1), padding="same")(values)
    return keras.Model(rows, layers.AveragePooling2D(1)(values))


def nested():
    rows = keras.Input((6, 6, 1), name="rows")
    values = layers.Conv2D(3, 3, padding="same", name="first")(rows)
    values = layers.BatchNormalization(name="normal")(values)
    values = layers.Activation("relu")(values)
    values = layers.Flatten()(values)
    encoder = keras.Model(rows, layers.Dense(4, name="last")(values), name="encoder")
    encoder.get_layer("first").trainable = False
    decoder = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(36, name="first"),
            layers.BatchNormalization(),
            layers.ReLU(**({"negative_slope": 0.1})),
            keras.Sequential([keras.Input((36,)), layers.Reshape((6, 6, 1))], name="to_image"),
            layers.Conv2DTranspose(1, 3, padding="same", activation="sigmoid", name="last"),
        ],
        name="decoder",
    )
    whole = keras.Input((6, 6, 1))
    return keras.Model(whole, decoder(encoder(whole)), name="autoencoder")


def odd():
    return keras.Sequential(
        [
            keras.Input((27, 27, 1)),
            layers.Conv2D(2, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2, padding="same"),
            layers.Conv2D(1, 2, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.UpSampling2D(2),
            layers.Conv2D(2, 2, padding="same", activation="relu"),
            layers.ZeroPadding2D(1),
            layers.UpSampling2D(2),
            layers.Cropping2D(((2, 3), (3, 2))),
            layers.Conv2D(1, 3, padding="same"),
        ]
    )


def flat():
    first = {} if THREE else {"input_shape": (6, 5)}
    model = keras.Sequential(
        [
            layers.Flatten(**first),
            layers.Dense(4, activation="relu"),
            layers.Dense(30, activation="sigmoid"),
            layers.Reshape((6, 5)),
        ]
    )
    model.build((None, 6, 5))
    return model


def activations():
    rows = values = keras.Input((7,))
    names = ["elu", "exponential", "gelu", "linear", "relu", "selu", "softmax", "softplus", "softsign", "swish", "tanh"]
    for name in names:
        values = layers.Dense(9, activation=name)(values)
    values = layers.Dense(3)(values)
    values = layers.Softmax()(values)
    values = layers.Dense(6, activation=layers.LeakyReLU())(values)
    values = layers.Dense(9, activation="sigmoid")(values)
    return keras.Model(rows, layers.Dense(7, activation="relu6" if THREE else "relu")(values))


def last_axis():
    rows = keras.Input((4, 6))
    values = layers.Dense(3, activation="tanh")(rows)
    values = layers.Flatten()(values)
    values = layers.Dense(5)(values)
    values = layers.Dense(12)(values)
    values = layers.Reshape((4, 3))(values)
    return keras.Model(rows, layers.Dense(6)(values))


MODELS = (
    article_convolutional,
    article_dense,
    strided,
    valid,
    normalised,
    bilinear,
    nested,
    odd,
    flat,
    activations,
    last_axis,
)


def with_random_weights(model, random):
    """Draw weights large enough that differences between rows pass through; factors and variances are positive."""
    for variable in model.weights:
        shape = tuple(variable.shape)
        spread = 1.7 / np.sqrt(max(1, np.prod(shape[:-1]))) if len(shape) > 1 else 0.3
        values = random.normal(size=shape) * spread
        positive = any(word in variable.name for word in ("variance", "gamma"))
        variable.assign(np.abs(values) + 0.5 if positive else values)
    return model


def write(name, model, folder, random):
    """Write a model in the formats of its generation, with rows and Keras's answer to them."""
    rows = random.random((3, *model.input_shape[1:])).astype(np.float32)
    if name == "article_dense":
        model.compile("adam", "binary_crossentropy")
        model.fit(rows, rows, verbose=0)
    np.savez_compressed(folder / f"{name}.npz", rows=rows, rebuilt=model.predict(rows, verbose=0))
    model.save(folder / f"{name}.keras")
    if name in EVERY_FORMAT:
        model.save(folder / f"{name}.h5")
        (folder / f"{name}.json").write_text(model.to_json())
        model.save_weights(folder / f"{name}.weights.h5")
        if not THREE:
            model.save_weights(folder / f"{name}_weights.h5")


def main(target):
    generation = "keras3" if THREE else "keras2"
    with tempfile.TemporaryDirectory() as folder:
        for make in MODELS:
            random = np.random.default_rng(0)
            write(make.__name__, with_random_weights(make(), random), Path(folder), random)
        shutil.make_archive(str(Path(target) / generation), "zip", folder)


if __name__ == "__main__":
    main(sys.argv[1])
