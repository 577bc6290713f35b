"""Autoencoders from Keras, read by JSON and h5py alone: nothing in a file is executed, and no TensorFlow is needed."""

from isthmus.keras.importing import from_keras

__all__ = ["from_keras"]
