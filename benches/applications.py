#!/usr/bin/env python3
"""Whether the models of keras.applications predict what Keras 3.15.1 predicts, from .h5 and from .keras.

    cargo build --release
    .venv/keras3/bin/python benches/applications.py [--all] [NAME ...]      (fixtures/make/all.sh makes .venv/keras3)

Random weights from a fixed seed; the statistics and factors of normalizations are moved off their starting
values, so that every one of them counts. The softmax is left off: of a thousand nearly equal probabilities it
would hide most differences. `error` is the largest difference divided by the largest output of Keras; `time` is
what the whole command takes for a batch of two, `Keras` what `predict_on_batch` takes the second time.
Files go to target/applications/ and are removed when they pass.
"""
import argparse
import os
import subprocess
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import absl.logging
import keras
import numpy as np
from keras import applications as A

absl.logging.set_verbosity("error")  # .h5 is meant
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.path.join(ROOT, "target", "applications")
#: The limit that each pair has to keep.
LIMIT = 1e-4

#: Name to side of the input; the first group is what is run without names.
USUAL = {
    "ResNet50": 224, "ResNet50V2": 224, "VGG16": 224, "MobileNet": 224, "MobileNetV2": 224, "MobileNetV3Small": 224, "MobileNetV3Large": 224,
    "EfficientNetB0": 224, "EfficientNetV2B0": 224, "DenseNet121": 224, "InceptionV3": 299, "Xception": 299, "NASNetMobile": 224, "ConvNeXtTiny": 224}
MORE = {
    "VGG19": 224, "ResNet101": 224, "ResNet152V2": 224, "DenseNet169": 224, "DenseNet201": 224, "InceptionResNetV2": 299, "EfficientNetB1": 240,
    "EfficientNetB3": 300, "EfficientNetV2S": 384, "ConvNeXtSmall": 224, "NASNetLarge": 331}


def moved(model, rng):
    """New values for what starts as zeros and ones; kernels keep theirs, which keep activations finite."""
    for layer in model.layers:
        for weight in layer.weights:
            leaf = weight.path.split("/")[-1]
            if leaf in ("gamma", "moving_variance"):
                weight.assign(rng.uniform(0.8, 1.25, weight.shape))
            elif leaf in ("beta", "bias", "moving_mean"):
                weight.assign(rng.normal(0, 0.1, weight.shape))


def run(command, *arguments):
    start = time.time()
    done = subprocess.run([command, *arguments], capture_output=True, text=True)
    return done, time.time() - start


def measured(name, side, command, rng):
    keras.backend.clear_session()
    keras.utils.set_random_seed(15)
    model = getattr(A, name)(weights=None, classifier_activation=None, input_shape=(side, side, 3))
    moved(model, rng)
    x = rng.uniform(0, 255, (2, side, side, 3)).astype("float32")
    if not any(isinstance(layer, (keras.layers.Rescaling, keras.layers.Normalization)) for layer in model.layers):
        x = x / 127.5 - 1
    model.predict_on_batch(x)
    start = time.time()
    expected = np.asarray(model.predict_on_batch(x))
    keras_time = time.time() - start
    case, found = os.path.join(OUT, name + ".npz"), os.path.join(OUT, name + ".out.npz")
    np.savez(case, in0=x, out0=expected)
    passed = True
    for suffix in (".h5", ".keras"):
        path = os.path.join(OUT, name + suffix)
        model.save(path)
        done, seconds = run(command, "predict", path, "--input", case, "--output", found)
        if done.returncode:
            print(f"{name:20} {suffix:7} {done.stderr.strip()}", flush=True)
            passed = False
            continue
        difference = np.abs(np.load(found)["out0"] - expected).max() / np.abs(expected).max()
        atol = f"{LIMIT * np.abs(expected).max():.3e}"
        verified, _ = run(command, "verify", path, "--case", case, "--rtol", "0", "--atol", atol)
        good = np.isfinite(expected).all() and difference <= LIMIT and verified.returncode == 0
        passed &= bool(good)
        print(f"{name:20} {suffix:7} error {difference:.1e}  largest output {np.abs(expected).max():7.2f}  spread {expected.std(1).mean():.2e}  "
              f"time {seconds:5.2f} s  Keras {keras_time:5.2f} s  {'ok' if good else 'WRONG'}", flush=True)
        os.remove(path)
    if passed:
        os.remove(case)
        os.remove(found)
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="models of keras.applications")
    parser.add_argument("--all", action="store_true", help="the large ones as well")
    parser.add_argument("--command", default=os.path.join(ROOT, "target", "release", "keras-model"))
    options = parser.parse_args()
    models = {**USUAL, **MORE}
    os.makedirs(OUT, exist_ok=True)
    names = options.names or (models if options.all else USUAL)
    results = [measured(name, models[name], options.command, np.random.RandomState(15)) for name in names]
    print(f"{sum(results)} of {len(results)} models within {LIMIT} in both formats")
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
