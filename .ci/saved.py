#!/usr/bin/env python3
"""Converts models of every Keras with `keras-model convert` and has Keras 3 load and run the results.

    saved.py PROGRAM [--conformance DIR] [--only TEXT] [--forms keras,h5,weights] [--part N/M] [--verbose]

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

os.environ.update(KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="", TF_CPP_MIN_LOG_LEVEL="3")

import numpy as np  # noqa: E402

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures" / "models"


class Case:
    line = None  # what a training case says of its steps

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
                yield Case(stem + ending, source, FIXTURES / (stem + ".npz"), "in", "out", rtol, 1e-5, options)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def corpus(folder):
    for part in ("keras/cases", "keras/beyond"):
        for line in lines(folder / part / "index.jsonl"):
            if line["needs_custom_objects"]:
                continue
            base = folder / part / line["id"]
            for ending in line["formats"]:
                yield Case(f"{line['id']}.{ending}", [f"{base}.{ending}"], f"{base}.npz", "in", "out",
                           line["rtol"], line["atol"])
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--conformance", type=pathlib.Path)
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
                counts[form, "wrong" if problem else "right"] += 1
                if problem:
                    wrong.append((case.name, form, problem))
                    print(case.name, form, problem, flush=True)
            keras.backend.clear_session()
    for reason, count in refused.most_common():
        print(f"{count:5} not converted: {reason}")
    for form in options.forms.split(","):
        print(form, {verdict: counts[form, verdict] for verdict in ("right", "wrong", "refused")})
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
