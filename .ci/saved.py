#!/usr/bin/env python3
"""Converts models of every Keras with `keras-model convert` and has Keras 3 load and run the results.

    saved.py PROGRAM [--conformance DIR] [--blocks EXAMPLE] [--only TEXT] [--forms keras,h5,weights] [--part N/M] [--verbose]

EXAMPLE is the built example `custom_blocks` of keras-runtime: it saves a model with layers of its author's, which
Keras loads with their classes. What Keras cannot do with its own file either is no fault.

Needs Keras 3 with TensorFlow (fixtures/make/env/keras3.txt). Exit code 1 if a prediction differs, or Keras
cannot load what was converted; what cannot be converted is counted by its reason.
"""

import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

os.environ.update(KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="", TF_CPP_MIN_LOG_LEVEL="3")

import numpy as np  # noqa: E402

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures" / "models"


# What Keras 3.15.1 cannot do whoever wrote the file: part of the name, forms, why.
KERAS_CANNOT = [
    ("bfloat16", "h5", "it reads no bfloat16 from .h5"),
    ("feature_space", "h5 weights", "its .h5 files know no FeatureSpace, and that has no load_weights"),
    ("gptq", "keras h5 weights", "it does not save the zero points that it wants to load"),
    ("slice_ell", "h5", "it decodes an ellipsis in .h5 twice"),
    ("k1.2.2-th-cnn_bn", "keras h5 weights", "channels_first convolutions are others on TensorFlow's CPU"),
]


class Case:
    line = None  # what a training case says of its steps
    is_keras3 = False

    def __init__(self, name, source, data, inputs, outputs, rtol, atol, options=()):
        self.name, self.source, self.data = name, source, data
        self.inputs, self.outputs = inputs, outputs
        self.rtol, self.atol, self.options = rtol, atol, list(options)

    def arrays(self, prefix):
        data = np.load(self.data, allow_pickle=False)
        found = []
        while f"{prefix}{len(found)}" in data:
            found.append(data[f"{prefix}{len(found)}"])
        return found


def fixtures():
    for meta in sorted(FIXTURES.glob("*.meta.json")):
        stem = meta.name.removesuffix(".meta.json")
        if json.loads(meta.read_text()).get("unknown") or stem == "k3_unbuilt":
            continue
        options = ["--backend", "theano"] if stem.startswith("k122_th") else []
        rtol = 2e-3 if "mixed_float16" in stem else 1e-4
        for ending in (".h5", ".keras", ".weights.h5", ".legacy_weights.h5"):
            file = FIXTURES / (stem + ending)
            if file.exists():
                source = [str(file)]
                if "weights" in ending:
                    source = [str(FIXTURES / (stem + ".json")), "--weights", str(file)]
                case = Case(stem + ending, source, FIXTURES / (stem + ".npz"), "in", "out", rtol, 1e-5, options)
                case.is_keras3 = stem.startswith("k3")
                yield case


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def corpus(folder):
    for part in ("keras/cases", "keras/beyond"):
        for line in lines(folder / part / "index.jsonl"):
            if line["needs_custom_objects"]:
                continue
            base = folder / part / line["id"]
            for ending in line["formats"]:
                case = Case(f"{line['id']}.{ending}", [f"{base}.{ending}"], f"{base}.npz", "in", "out",
                            line["rtol"], line["atol"])
                case.is_keras3 = line["keras_version"].startswith("3")
                yield case
    for line in lines(folder / "keras-old" / "index.jsonl"):
        here = folder / "keras-old"
        source = [str(here / line["file"])]
        if line["kind"] == "weights":
            source = [str(here / line["architecture"]), "--weights", *source]
        tolerance = line.get("tolerance") or {}
        yield Case(line["id"], source, here / line["data"], "x_", "pred_", tolerance.get("rtol", 1e-4),
                   tolerance.get("atol", 1e-5), ["--backend", line["backend"]])
    for line in lines(folder / "training" / "trajectories" / "index.jsonl"):
        base = folder / "training" / "trajectories" / line["id"]
        for ending in (".keras", ".h5"):
            if base.with_name(base.name + ending).exists():
                case = Case(f"{line['id']}{ending}", [f"{base}{ending}"], f"{base}.npz", "eval_x_", "pred_", 1e-4, 1e-5)
                case.line = line
                yield case


def tensors(keras, model, arrays):
    import tensorflow as tf

    flat = [tf.constant(a.astype(str) if a.dtype.kind in "US" else a) for a in arrays]
    if isinstance(model, keras.utils.FeatureSpace):
        return dict(zip(model.features, flat))
    if isinstance(model, keras.Sequential):
        return flat[0]
    return keras.tree.pack_sequence_as(model._inputs_struct, flat)


def check(keras, path, case, form, first):
    """The model, and what is wrong with it, if something is."""
    import tensorflow as tf

    if form == "weights":
        model = first
        model.load_weights(path)
    else:
        model = keras.models.load_model(path, compile=form != "h5", safe_mode=False)
    for layer in getattr(model, "layers", []):
        if getattr(layer, "stateful", False):
            layer.reset_state()
    inputs = tensors(keras, model, case.arrays(case.inputs))
    is_space = isinstance(model, keras.utils.FeatureSpace)
    found = keras.tree.flatten(model(inputs) if is_space else model(inputs, training=False))
    expected = case.arrays(case.outputs)
    if len(found) != len(expected):
        return model, f"{len(found)} outputs, not {len(expected)}"
    dense = [tf.sparse.to_dense(got) if isinstance(got, tf.SparseTensor) else got for got in found]
    for got, want in zip(dense, expected):
        got = np.asarray(got)
        if want.dtype.kind in "US":
            if (got.astype(str) != want.astype(str)).any():
                return model, "other strings"
            continue
        if got.shape != want.shape:
            return model, f"shape {got.shape}, not {want.shape}"
        got, want = got.astype(np.float64), want.astype(np.float64)
        worst = np.abs(got - want) - case.rtol * np.abs(want) - case.atol
        same = (got == want) | (np.isnan(got) & np.isnan(want))
        if (worst[~same] > 0).any():
            return model, f"differs by {np.abs(got - want)[~same].max():.2g}"
    is_compiled = form == "keras" and case.line is not None
    return model, trained(model, case) if is_compiled else None


def fails_too(keras, case):
    """Whether Keras cannot load the file that was converted, though it wrote it, or predicts something else."""
    if len(case.source) > 1 or not case.is_keras3:
        return False
    try:
        return check(keras, case.source[0], case, "h5", None)[1] is not None
    except Exception:
        return True


def trained(model, case):
    """What is wrong with the losses of the next steps, which the optimizer's state decides."""
    weights = case.line.get("class_weight")
    options = {"class_weight": {int(k): v for k, v in weights.items()}} if weights else {}
    one = lambda arrays: arrays[0] if len(arrays) == 1 else arrays
    for t, want in enumerate(np.load(case.data)["loss"]):
        x, y, sample_weight = (case.arrays(f"step{t}_{what}_") for what in ("x", "y", "sw"))
        if sample_weight:
            options["sample_weight"] = one(sample_weight)
        model.reset_metrics()
        got = model.train_on_batch(one(x), one(y), return_dict=True, **options)["loss"]
        if abs(float(got) - want) > 1e-4 * abs(want) + 1e-5:
            return f"step {t}: the loss is {got}, not {want}"
    return None


def blocks(keras, program, folder):
    """What is wrong with a model of custom layers that our code loaded and saved."""
    sys.path.insert(0, str(FIXTURES.parent / "make"))
    import keras3 as makers

    classes = {"Positions": makers.Positions, "TransformerBlock": makers.TransformerBlock}
    paths = [os.path.join(folder, name) for name in ("blocks.keras", "blocks.h5")]
    subprocess.run([program, *paths], check=True, capture_output=True)
    data = np.load(FIXTURES / "k3_blocks.npz")
    for path in paths:
        model = keras.models.load_model(path, custom_objects=classes, compile=False)
        worst = np.abs(np.asarray(model(data["in0"], training=False)) - data["out0"]).max()
        if worst > 1e-5:
            return f"{path} differs by {worst:.2g}"
    # The weights alone, into a model that has others.
    weights = os.path.join(folder, "blocks.weights.h5")
    with zipfile.ZipFile(paths[0]) as archive, open(weights, "wb") as file:
        file.write(archive.read("model.weights.h5"))
    for weight in model.weights:
        weight.assign(weight * 0)
    model.load_weights(weights)
    worst = np.abs(np.asarray(model(data["in0"], training=False)) - data["out0"]).max()
    return f"weights differ by {worst:.2g}" if worst > 1e-5 else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--conformance", type=pathlib.Path)
    parser.add_argument("--blocks")
    parser.add_argument("--only", default="")
    parser.add_argument("--forms", default="keras,h5,weights")
    parser.add_argument("--part", default="0/1")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    import keras

    cases = list(fixtures())
    if options.conformance:
        cases += corpus(options.conformance)
    n, of = map(int, options.part.split("/"))
    cases = [case for case in cases if options.only in case.name][n::of]
    endings = {"keras": ".keras", "h5": ".h5", "weights": ".weights.h5"}
    counts, wrong, refused = collections.Counter(), [], collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        if options.blocks:
            problem = blocks(keras, options.blocks, folder)
            print("custom layers:", problem or "right", flush=True)
            wrong += [problem] if problem else []
        for case in cases:
            model = None
            for form in options.forms.split(","):
                path = os.path.join(folder, "model" + endings[form])
                convert = [options.program, "convert", *case.source, path, *case.options]
                done = subprocess.run(convert, capture_output=True, text=True)
                if done.returncode:
                    counts[form, "refused"] += 1
                    refused[done.stderr.strip().split(": ", 2)[-1][:150]] += 1
                    if options.verbose:
                        print(case.name, form, done.stderr.strip(), flush=True)
                    continue
                if form == "weights" and model is None:
                    continue
                try:
                    loaded, problem = check(keras, path, case, form, model)
                    model = loaded if form != "weights" else model
                except Exception as error:
                    problem = f"{type(error).__name__}: {' '.join(str(error).split())[-300:]}"
                known = any(part in case.name and form in forms for part, forms, _ in KERAS_CANNOT)
                if problem and (known or fails_too(keras, case)):
                    counts[form, "as Keras's own"] += 1
                    continue
                counts[form, "wrong" if problem else "right"] += 1
                if problem:
                    wrong.append((case.name, form, problem))
                    print(case.name, form, problem, flush=True)
            keras.backend.clear_session()
    for reason, count in refused.most_common():
        print(f"{count:5} not converted: {reason}")
    for form in options.forms.split(","):
        verdicts = ("right", "as Keras's own", "wrong", "refused")
        print(form, {verdict: counts[form, verdict] for verdict in verdicts})
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
