#!/usr/bin/env python3
"""Has the C library (h5py) read what hdf5-lite wrote: a tour of everything, and a copy of each fixture.

    written.py EXAMPLES     the folder of the built examples `tour` and `repack`
"""
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "hdf5"


def tour(file):
    attributes = file["attributes"].attrs
    assert len(attributes) == 9 == len(list(attributes))
    assert attributes["text"] == "A tour, \u00e9" and attributes["nothing"] == ""
    assert list(attributes["texts"]) == ["dense", "\u4e2d"]
    assert attributes["fixed"].dtype == "S7" and list(attributes["fixed"]) == [b"dense", b"dense_1"]
    assert attributes["number"] == 2.5 and attributes["number"].dtype == "f4"
    assert list(attributes["numbers"]) == [1, 2, 3] and attributes["flag"] is numpy.True_
    assert isinstance(attributes["empty"], h5py.Empty)
    assert list(attributes["long"]) == [b"a_layer_with_a_long_name_%d" % n for n in range(5000)]

    layouts = file["layouts"]
    rows = numpy.arange(6000).reshape(60, 100)
    for name in ["contiguous", "chunks", "many_chunks", "packed", "growing"]:
        assert (layouts[name][...] == rows).all() and layouts[name].dtype == "i4", name
    assert layouts["contiguous"].attrs["unit"] == "m" and layouts["contiguous"].id.get_offset() % 64 == 0
    assert layouts["compact"].id.get_create_plist().get_layout() == h5py.h5d.COMPACT
    assert layouts["compact"][...].tolist() == [[1, 2, 3], [4, 5, 6]] and layouts["scalar"][()] == 1.5
    packed = layouts["packed"]
    assert (packed.chunks, packed.compression, packed.compression_opts) == ((16, 16), "gzip", 6)
    assert packed.shuffle and packed.fletcher32 and packed.id.get_storage_size() < 12_000
    noise = numpy.arange(1000, dtype="u8")
    noise = (noise * 0x9e3779b9 ^ noise << 13) & 0xffffffff
    assert (layouts["noise"][...] == noise).all()
    assert {layouts["noise"].id.get_chunk_info(n).filter_mask for n in range(2)} == {1}, "better without"
    growing = layouts["growing"]
    assert growing.maxshape == (None, 200) and growing.fillvalue == -1
    assert (layouts["absent"][...] == 7).all() and layouts["no_rows"].shape == (0, 3)

    filters = file["filters"]
    assert filters["lzf"].compression == "lzf" and (filters["lzf"][...] == rows).all()
    assert (filters["scale_offset"][...] == rows).all()
    assert filters["negative"][...].tolist() == [n * n - 1000 for n in range(60)]
    assert abs(filters["decimal"][...] - numpy.arange(6000) / 10).max() < 1e-9
    assert filters["nbit"][...].tolist() == [n % 128 for n in range(1000)]
    assert (filters["szip"][...] == rows).all()
    assert (filters["szip_steps"][...].ravel() == (numpy.arange(4000) ** 2 % 65536 % 97)).all()
    waves = numpy.sin(numpy.arange(5000, dtype="f4") / numpy.float32(100))
    assert abs(filters["szip_waves"][...] - waves).max() < 1e-6
    sizes = {"lzf": 24_000, "scale_offset": 24_000, "negative": 480, "decimal": 48_000, "nbit": 2000}
    for name, size in sizes.items():
        assert filters[name].id.get_storage_size() < size * 0.6, (name, filters[name].id.get_storage_size())

    types = file["types"]
    assert types["half"].dtype == "f2" and types["half"][...].tolist() == [0.5, -2.0]
    assert types["big"].dtype == ">u2" and types["big"][...].tolist() == [256, 2]
    assert types["strings"].asstr()[...].tolist() == [["zero"], ["one"]]
    assert [list(one) for one in types["lists"]] == [[1, 2, 3], [], [-4]]
    table = types["table"][...]
    assert table["count"].tolist() == [1, 2] and table["at"].tolist() == [0.5, 0.5]
    assert [name.decode() for name in table["name"]] == ["one", "two"]
    opaque, raw = types["opaque"].id, numpy.empty(1, "V4")
    opaque.read(h5py.h5s.ALL, h5py.h5s.ALL, raw, opaque.get_type())
    assert opaque.get_type().get_tag() == b"a tag" and raw.tobytes() == b"\0ab\xff"
    assert types["flags"].dtype == bool and types["flags"][...].tolist() == [True, False]
    assert types["committed"].dtype == "i8" and file[types["references"][0]] == types["flags"]

    for number, name in [(5, "few"), (50, "many")]:
        group = file["ordered"][name]
        assert list(group) == [str(n) for n in reversed(range(number))]
        assert list(group.attrs) == [f"a{n}" for n in reversed(range(number))]
    many = file["many"]
    assert len(many) == 20_004 and all(f"group {n}" in many for n in range(20_000))
    assert len(many.attrs) == 1000 and all(many.attrs[f"attribute {n}"] == n for n in range(1000))
    assert many["soft"] == many["hard"] == layouts["scalar"] and "a/group/in a/group" in many
    assert many.get("external", getlink=True).filename == "other.h5"


def edit(path):
    """What the library changes in the file, it finds again."""
    with h5py.File(path, "r+") as file:
        many = file["many"]
        for n in range(0, 20_000, 7):
            del many[f"group {n}"]
        for n in range(3000):
            many.create_group(f"new {n}").attrs["n"] = n
            many.attrs[f"more {n}"] = n
        for n in range(0, 1000, 3):
            del many.attrs[f"attribute {n}"]
        file["layouts/packed"][10:50, 10:90] = -5
        file["layouts/growing"].resize((70, 120))
        file["attributes"].attrs["long"] = "short"
        for name in ["few", "many"]:
            for n in range(60, 80):
                file["ordered"][name].create_group(str(n))
                file["ordered"][name].attrs[f"a{n}"] = n
    with h5py.File(path) as file:
        many = file["many"]
        left = {f"group {n}" for n in range(20_000) if n % 7} | {f"new {n}" for n in range(3000)}
        assert set(many) == left | {"soft", "hard", "external", "a"}
        assert {many[f"new {n}"].attrs["n"] for n in range(3000)} == set(range(3000))
        assert len(many.attrs) == 3000 + 1000 - 334 == len(list(many.attrs))
        assert (file["layouts/packed"][10:50, 10:90] == -5).all() and file["layouts/packed"][59, 99] == 5999
        assert file["layouts/growing"][69, 119] == -1 and file["layouts/growing"][59, 99] == 5999
        assert file["attributes"].attrs["long"] == "short"
        for number, name in [(5, "few"), (50, "many")]:
            names = [str(n) for n in [*reversed(range(number)), *range(60, 80)]]
            assert list(file["ordered"][name]) == names
            assert list(file["ordered"][name].attrs) == [f"a{n}" for n in names]


def same(one, other, paths):
    """Whether two values are equal; references lead to objects of one path."""
    if isinstance(one, (h5py.Reference, h5py.RegionReference)):
        return bool(one) == bool(other) and (not one or paths[0](one) == paths[1](other))
    if isinstance(one, h5py.Empty):
        return isinstance(other, h5py.Empty)
    one, other = numpy.asarray(one), numpy.asarray(other)
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.dtype.names:
        return all(same(one[name], other[name], paths) for name in one.dtype.names)
    if one.dtype.hasobject:
        return all(same(a, b, paths) for a, b in zip(one.flat, other.flat))
    return one.tobytes() == other.tobytes()


def compare(original, copy):
    """Every object, attribute and element of two files."""
    count = 0
    paths = [lambda reference, file=file: h5py.h5i.get_name(h5py.h5r.dereference(reference, file.id))
             for file in (original, copy)]

    def attributes(one, other):
        assert list(one.attrs) == list(other.attrs), one.name
        for name in one.attrs:
            try:
                value = one.attrs[name]
            except (KeyError, OSError, TypeError, ValueError):
                continue  # of a type that h5py does not know
            assert same(value, other.attrs[name], paths), (one.name, name)

    def visit(name):
        nonlocal count
        count += 1
        one, other = original[name], copy[name]
        assert type(one) is type(other), name
        attributes(one, other)
        if isinstance(one, h5py.Group):
            links = [{key: group.get(key, getlink=True) for key in group} for group in (one, other)]
            assert list(links[0]) == list(links[1]), name  # in the order of creation, if it is kept
            for key, link in links[0].items():
                assert vars(link) == vars(links[1][key]), (name, key)
        if isinstance(one, h5py.Dataset):
            for what in ["shape", "maxshape", "chunks", "compression", "shuffle", "fletcher32", "scaleoffset",
                         "is_virtual", "external"]:
                assert getattr(one, what) == getattr(other, what), (name, what)
            assert one.id.get_type() == other.id.get_type(), name
            try:
                value = one[()] if one.size is None or one.size < 1_000_000 else None
            except (KeyError, OSError, TypeError, ValueError):
                return
            assert value is None or same(value, other[()], paths), name

    attributes(original, copy)
    original.visit(visit)
    return count


def main(examples):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "tour.h5"
        subprocess.run([examples / "tour", path], check=True)
        with h5py.File(path) as file:
            tour(file)
        edit(path)
        files = objects = 0
        fixtures = sorted(FIXTURES.glob("*.h5"))
        for fixture in fixtures:
            # Where the files are that it refers to.
            for other in FIXTURES.iterdir():
                link = path.parent / other.name
                if not link.exists():
                    link.symlink_to(other)
            copy = path.parent / fixture.name
            copy.unlink()
            subprocess.run([examples / "repack", fixture, copy], check=True)
            with h5py.File(fixture) as original, h5py.File(copy) as file:
                objects += compare(original, file)
            copy.unlink()
            files += 1
        assert files >= 60, files
        print(f"HDF5 {h5py.version.hdf5_version}: the tour, and {objects} objects in copies of {files} files")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve())
