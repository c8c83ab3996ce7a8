#!/usr/bin/env python3
"""Makes the files of the `hdf5/*` benches in target/bench-files.

    python3 -m venv target/bench-python && target/bench-python/bin/pip install h5py
    target/bench-python/bin/python benches/make_files.py
"""
import pathlib

import h5py
import numpy

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "target" / "bench-files"


def tree(file):
    """10,000 datasets in 100 groups, each with two attributes."""
    for number in range(100):
        group = file.create_group(f"group_{number:03}")
        for inner in range(100):
            dataset = group.create_dataset(f"dataset_{inner:03}", data=numpy.arange(8, dtype="f4") + inner)
            dataset.attrs["units"] = "metres"
            dataset.attrs["scale"] = numpy.float32([1.5, number])


def contiguous(file):
    """400 MB in one piece."""
    data = file.create_dataset("data", (10_000, 10_000), "f4")
    for row in range(0, 10_000, 1000):
        data[row:row + 1000] = numpy.random.default_rng(row).random((1000, 10_000), "f4")


def gzip(file):
    """200 MB in chunks of 1 MB, of a signal that gzip makes half as long."""
    options = {"chunks": (64, 4096), "compression": "gzip", "compression_opts": 4, "shuffle": True}
    data = file.create_dataset("data", (12_208, 4096), "f4", **options)
    axis = numpy.arange(4096, dtype="f4")
    for row in range(0, 12_208, 1024):
        rows = numpy.arange(row, min(row + 1024, 12_208), dtype="f4")[:, None]
        noise = numpy.random.default_rng(row).normal(0, 0.01, (len(rows), 4096))
        data[row:row + 1024] = numpy.round(numpy.sin(rows / 50) + axis / 500 + noise, 3)


FOLDER.mkdir(parents=True, exist_ok=True)
for name, libver, make in [("tree10k_old", "earliest", tree), ("tree10k_new", "v110", tree),
                           ("contiguous400", "earliest", contiguous), ("gzip200", "earliest", gzip)]:
    with h5py.File(FOLDER / f"{name}.h5", "w", libver=libver) as file:
        make(file)
    print(f"{name}.h5: {(FOLDER / f'{name}.h5').stat().st_size} bytes, HDF5 {h5py.version.hdf5_version}")
