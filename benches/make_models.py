#!/usr/bin/env python3
"""Makes the models that `cargo bench` loads, in target/bench-models/, with Keras 3.15.1: each as .h5 and .keras.

    .venv/keras3/bin/python benches/make_models.py [NAME ...]       (fixtures/make/all.sh makes .venv/keras3)

Random weights, a fixed seed; about 220 MB. Never committed.
"""
import os
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import absl.logging
import keras
from keras import layers as L

absl.logging.set_verbosity("error")  # .h5 is meant
OUT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "target", "bench-models")


def cnn():
    """1.0 million parameters in 8 layers: fixed costs."""
    return keras.Sequential([
        keras.Input((28, 28, 1)), L.Conv2D(32, 3, activation="relu"), L.MaxPooling2D(), L.Conv2D(64, 3, activation="relu"),
        L.MaxPooling2D(), L.Flatten(), L.Dense(640, activation="relu"), L.Dropout(0.5), L.Dense(10, activation="softmax")],
        name="cnn")


def resnet50():
    """25.6 million parameters, 102 MB, 177 layers: a common file."""
    return keras.applications.ResNet50(weights=None)


def deep2000():
    """2,000 small layers in a row: all of the time goes to metadata and the graph."""
    x = i = keras.Input((8,))
    for k in range(2000):
        x = L.Dense(8, activation="relu", name=f"dense_{k}")(x)
    return keras.Model(i, x, name="deep2000")


MODELS = [cnn, resnet50, deep2000]


def main():
    sys.setrecursionlimit(100_000)  # Keras recurses per layer
    os.makedirs(OUT, exist_ok=True)
    for make in MODELS:
        name = make.__name__
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        start = time.time()
        keras.backend.clear_session()
        keras.utils.set_random_seed(7)
        model = make()
        sizes = []
        for suffix in (".keras", ".h5"):
            path = os.path.join(OUT, name + suffix)
            model.save(path)
            sizes.append("%s %.1f MB" % (suffix, os.path.getsize(path) / 1e6))
        print("%-10s %10d parameters  %s  %.0f s" % (name, model.count_params(), "  ".join(sizes), time.time() - start), flush=True)


if __name__ == "__main__":
    main()
