#!/usr/bin/env python3
"""Times `keras.models.load_model` on the bench models, beside what `cargo bench` measured of this workspace.

    .venv/keras3/bin/python benches/make_models.py
    cargo bench -- load/
    .venv/keras3/bin/python benches/keras_load.py

Each model is loaded once to warm up, then five times; the table has the medians. Importing Keras is not in them.
"""
import gc
import json
import os
import statistics
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras

TARGET = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "target")
GROUPS = ["load_model", "load_model_touch"]  # criterion's folders of the groups `load/...`


def keras_seconds(path):
    keras.models.load_model(path, compile=False)
    times = []
    for _ in range(5):
        keras.backend.clear_session()
        gc.collect()
        start = time.perf_counter()
        keras.models.load_model(path, compile=False)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def our_seconds(group, name):
    """The median that criterion wrote last, or None."""
    try:
        with open(os.path.join(TARGET, "criterion", group, name, "new", "estimates.json")) as file:
            return json.load(file)["median"]["point_estimate"] * 1e-9
    except OSError:
        return None


def main():
    sys.setrecursionlimit(100_000)  # Keras recurses per layer
    folder = os.path.join(TARGET, "bench-models")
    print("%-16s %12s   %s" % ("model", "Keras " + keras.__version__, "  ".join("%-22s" % g for g in GROUPS)))
    for name in sorted(os.listdir(folder)):
        theirs = keras_seconds(os.path.join(folder, name))
        cells = []
        for group in GROUPS:
            ours = our_seconds(group, name)
            cells.append("-" if ours is None else "%.3f ms, 1/%.0f" % (ours * 1e3, theirs / ours))
        print("%-16s %9.1f ms   %s" % (name, theirs * 1e3, "  ".join("%-22s" % c for c in cells)), flush=True)


if __name__ == "__main__":
    main()
