#!/usr/bin/env python3
"""`predict` beside ONNX Runtime: the same models, inputs and numbers of threads, by turns.

    .venv/keras3/bin/python benches/make_models.py        (with tf2onnx: makes the .onnx files too)
    python3 benches/onnxruntime_predict.py [--models mlp,lstm] [--batches 1,32] [--threads 1,2] [--rounds 4] [--seconds 1]

Makes its own virtual environment in target/venv-onnxruntime and builds the example `time_predict`. Each round runs
each side for some seconds in a process of its own, one after the other; the table has the least time of all rounds (other
work on the machine only ever adds) and of the rounds' medians the least one. Sums of the outputs are compared.
--peers adds rten and tract, from benches/predict-peers: their build takes minutes, and tract compiles assembly.
"""
import argparse
import json
import os
import subprocess
import sys
import time
import venv

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
MODELS = os.path.join(ROOT, "target", "predict-models")
ENVIRONMENT = os.path.join(TARGET, "venv-onnxruntime")
PACKAGES = ["onnxruntime==1.32.0", "numpy"]
NAMES = ["mlp", "cnn", "resnet50", "mobilenetv2", "lstm", "transformer"]


def run_onnxruntime(path, batch, seconds, threads):
    """The other side of `time_predict`, in the virtual environment."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    shape = [batch, *given.shape[1:]]
    x = (np.arange(np.prod(shape)) * 7919 % 1000 / 500 - 1).astype(np.float32).reshape(shape)
    outputs = session.run(None, {given.name: x})
    times, start = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        session.run(None, {given.name: x})
        times.append((time.perf_counter() - before) * 1e3)
    times.sort()
    total = sum(float((y.astype(np.float64) ** 2).sum()) for y in outputs)
    print(json.dumps({"least_ms": times[0], "median_ms": times[len(times) // 2], "sum": total, "runs": len(times)}))


def measure(command, threads):
    env = dict(os.environ, RAYON_NUM_THREADS=str(threads))
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        print("%s: %s" % (" ".join(command), done.stderr.strip().splitlines()[-1:]), file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", default=",".join(NAMES))
    parser.add_argument("--batches", default="1,32")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--profile", default="release")
    parser.add_argument("--peers", action="store_true", help="rten and tract too")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        path, batch, seconds, threads = args.worker
        return run_onnxruntime(path, int(batch), float(seconds), int(threads))
    python = os.path.join(ENVIRONMENT, "bin", "python")
    if not os.path.exists(python):
        venv.create(ENVIRONMENT, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    build = ["cargo", "build", "-q", "--profile", args.profile, "-p", "keras-runtime", "--example", "time_predict"]
    subprocess.run(build, cwd=ROOT, check=True)
    ours = os.path.join(TARGET, args.profile, "examples", "time_predict")
    peers = os.path.join(ROOT, "target", "predict-peers")
    if args.peers:
        build = ["cargo", "build", "-q", "--release", "--target-dir", peers]
        subprocess.run(build, cwd=os.path.join(ROOT, "benches", "predict-peers"), check=True)
    sides = ["ours", "ort"] + ["rten", "tract"] * args.peers
    print("%-12s %5s %7s  " % ("model", "batch", "threads") + "  ".join("%-17s" % (s + " ms (median)") for s in sides)
          + "  " + "  ".join("ours/" + s for s in sides[1:]), flush=True)
    for name in args.models.split(","):
        for batch in args.batches.split(","):
            for threads in args.threads.split(","):
                path, seconds = os.path.join(MODELS, name), str(args.seconds)
                commands = {
                    "ours": [ours, path + ".keras", batch, seconds],
                    "ort": [python, os.path.abspath(__file__), "--worker", path + ".onnx", batch, seconds, threads]}
                for peer in sides[2:]:
                    # tract has one thread.
                    if peer != "tract" or threads == "1":
                        commands[peer] = [os.path.join(peers, "release", peer), path + ".onnx", batch, seconds]
                results = {side: [] for side in sides}
                for _ in range(args.rounds):
                    for side in commands:
                        results[side].append(measure(commands[side], threads))
                best = {}
                for side, all_ in results.items():
                    found = [r for r in all_ if r]
                    if found:
                        best[side] = {k: min(r[k] for r in found) for k in ("least_ms", "median_ms", "sum")}
                cells = ["%8.3f (%.3f)" % (best[s]["least_ms"], best[s]["median_ms"]) if s in best else "-" for s in sides]
                ratios = ["%8.2f" % (best["ours"]["least_ms"] / best[s]["least_ms"]) if s in best else "       -" for s in sides[1:]]
                print("%-12s %5s %7s  " % (name, batch, threads) + "  ".join("%-17s" % c for c in cells) + "  " + "  ".join(ratios), flush=True)
                for side in best:
                    a, b = best["ours"]["sum"], best[side]["sum"]
                    if abs(a - b) > 1e-3 * max(abs(a), abs(b)):
                        print("    the sums differ: ours %g, %s %g" % (a, side, b), file=sys.stderr)


if __name__ == "__main__":
    main()
