#!/usr/bin/env python3
"""Fills corpus/ from the fixtures: `crates/fuzz/seed.py`. Standard library only."""
import pathlib
import shutil
import struct

HERE = pathlib.Path(__file__).resolve().parent
FIXTURES = HERE.parent.parent / "fixtures"
LARGEST = 65536
# Rows of `BUILT_IN` in crates/hdf5-lite/src/filter/mod.rs, with all features.
FILTERS = ["deflate", "shuffle", "fletcher32", "szip", "nbit", "scaleoffset", "lzf", "bitshuffle", "blosc", "blosc2",
           "bzip2", "lz4", "lzo", "zfp", "zstd"]


def seeds(*patterns):
    files = sorted(path for pattern in patterns for path in FIXTURES.glob(pattern))
    return [path for path in files if path.is_file() and 0 < path.stat().st_size <= LARGEST]


def fill(target, files):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        shutil.copyfile(path, folder / f"{path.parent.name}_{path.name}")
    return folder


def fill_filters():
    """Windows of files with compressed chunks: the fuzzer finds the chunks in them."""
    folder = fill("hdf5_filters", [])
    for number, name in enumerate(FILTERS):
        for values in ([], [4], [4, 8, 1, 16], [1, 0, 4, 64, 0, 1, 2, 3], [2, 2, 4, 256, 5, 1, 1]):
            head = struct.pack("<BBHB", number, len(values), 256, 0) + struct.pack(f"<{len(values)}I", *values)
            (folder / f"{name}_{len(values)}").write_bytes(head + bytes(range(128)))
        for path in seeds("filters/**/*.h5", "hdf5/filters*.h5"):
            data = path.read_bytes()
            for at in range(1024, min(len(data), 16384), 2048):
                head = struct.pack("<BBHB", number, 0, 4096, 0)
                (folder / f"{name}_{path.stem}_{at}").write_bytes(head + data[at:at + 1024])


for target in ("hdf5_walk", "hdf5_read", "hdf5_copy"):
    fill(target, seeds("hdf5/*.h5", "damaged/*.h5", "filters/**/*.h5"))
for target in ("keras_load", "keras_predict", "keras_train"):
    fill(target, seeds("models/**/*.h5", "models/**/*.keras", "damaged/*.h5", "damaged/*.keras"))
fill_filters()
for folder in sorted((HERE / "corpus").iterdir()):
    print(f"{folder.name}: {sum(1 for _ in folder.iterdir())} seeds")
