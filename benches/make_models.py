#!/usr/bin/env python3
"""Makes the models that `cargo bench` uses, with Keras 3.15.1:
those it loads in target/bench-models/, each as .h5 and .keras;
those that predict in target/predict-models/, each as .keras and, if tf2onnx is installed, as .onnx for the peers.

    .venv/keras3/bin/python benches/make_models.py [NAME ...]       (fixtures/make/all.sh makes .venv/keras3)
    .venv/keras3/bin/pip install --no-deps tf2onnx==1.17.0 onnx onnx_ir ml_dtypes     (for .onnx)

Random weights, a fixed seed; about 220 MB to load, 240 MB to predict. Never committed.
"""
import importlib.util
import os
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import absl.logging
import keras
import numpy as np
from keras import layers as L

absl.logging.set_verbosity("error")  # .h5 is meant
TARGET = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "target")


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


def mlp():
    """0.67 million parameters in 3 layers: reads weights and computes little."""
    return keras.Sequential([
        keras.Input((784,)), L.Dense(512, activation="relu"), L.Dense(512, activation="relu"), L.Dense(10, activation="softmax")],
        name="mlp")


def mobilenetv2():
    """3.5 million parameters: depthwise convolutions and thin products."""
    return keras.applications.MobileNetV2(weights=None)


def lstm():
    """100 steps of 128 units: small products one after the other."""
    return keras.Sequential([keras.Input((100, 64)), L.LSTM(128), L.Dense(10, activation="softmax")], name="lstm")


def transformer():
    """Four blocks of attention, normalisation and a network with `gelu`, over 64 steps of 128 features."""
    x = i = keras.Input((64, 128))
    for _ in range(4):
        x = L.LayerNormalization()(L.Add()([x, L.MultiHeadAttention(4, 32)(x, x)]))
        x = L.LayerNormalization()(L.Add()([x, L.Dense(128)(L.Dense(512, activation="gelu")(x))]))
    return keras.Model(i, L.Dense(10, activation="softmax")(L.GlobalAveragePooling1D()(x)), name="transformer")


def to_onnx(model, path):
    """The same model for the peers, any batch size."""
    import onnx
    import tensorflow as tf
    import tf2onnx
    from onnx import helper, numpy_helper

    if model.name == "lstm":
        onnx.save(lstm_to_onnx(model), path)
        return
    signature = [tf.TensorSpec([None, *model.inputs[0].shape[1:]], tf.float32, name="x")]
    function = tf.function(lambda x: model(x, training=False), input_signature=signature)
    proto, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=17)
    # ONNX has no Erfc, which TensorFlow's exact gelu is made of: erfc(x) = 1 - erf(x).
    proto.graph.initializer.append(numpy_helper.from_array(np.array(1, np.float32), "one_of_erfc"))
    nodes = []
    for node in proto.graph.node:
        if node.op_type != "Erfc":
            nodes.append(node)
            continue
        erf = node.output[0] + "_erf"
        nodes.append(helper.make_node("Erf", [node.input[0]], [erf]))
        nodes.append(helper.make_node("Sub", ["one_of_erfc", erf], [node.output[0]]))
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    onnx.save(proto, path)


def lstm_to_onnx(model):
    """With ONNX's own LSTM; tf2onnx writes a loop."""
    from onnx import TensorProto, helper, numpy_helper

    def gates(weights):  # Keras has i f c o, ONNX i o f c, both with a leading axis for directions
        i, f, c, o = np.split(weights, 4, axis=-1)
        return np.concatenate([i, o, f, c], axis=-1).T[None]

    kernel, recurrent, bias, dense, dense_bias = model.get_weights()
    constants = {
        "w": gates(kernel), "r": gates(recurrent), "b": np.concatenate([gates(bias), np.zeros((1, len(bias)), np.float32)], axis=1),
        "dense": dense, "dense_bias": dense_bias, "first": np.array([0], np.int64)}
    nodes = [
        helper.make_node("Transpose", ["x"], ["steps"], perm=[1, 0, 2]),
        helper.make_node("LSTM", ["steps", "w", "r", "b"], ["", "last"], hidden_size=len(recurrent)),
        helper.make_node("Squeeze", ["last", "first"], ["h"]),
        helper.make_node("MatMul", ["h", "dense"], ["product"]),
        helper.make_node("Add", ["product", "dense_bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["y"], axis=-1)]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "lstm", [value("x", TensorProto.FLOAT, ["n", *model.inputs[0].shape[1:]])],
        [value("y", TensorProto.FLOAT, ["n", dense.shape[1]])],
        [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


LOAD = [cnn, resnet50, deep2000]
PREDICT = [mlp, cnn, resnet50, mobilenetv2, lstm, transformer]


def save(make, folder, suffixes):
    name = make.__name__
    if sys.argv[1:] and name not in sys.argv[1:]:
        return
    start = time.time()
    os.makedirs(folder, exist_ok=True)
    keras.backend.clear_session()
    keras.utils.set_random_seed(7)
    model = make()
    sizes = []
    for suffix in suffixes:
        path = os.path.join(folder, name + suffix)
        to_onnx(model, path) if suffix == ".onnx" else model.save(path)
        sizes.append("%s %.1f MB" % (suffix, os.path.getsize(path) / 1e6))
    print("%-11s %10d parameters  %s  %.0f s" % (name, model.count_params(), "  ".join(sizes), time.time() - start), flush=True)


def main():
    sys.setrecursionlimit(100_000)  # Keras recurses per layer
    onnx = [".onnx"] if importlib.util.find_spec("tf2onnx") else []
    for make in PREDICT:
        save(make, os.path.join(TARGET, "predict-models"), [".keras", *onnx])
    for make in LOAD:
        save(make, os.path.join(TARGET, "bench-models"), [".keras", ".h5"])


if __name__ == "__main__":
    main()
