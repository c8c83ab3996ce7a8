//! Writes a file with something of every kind; `.ci/written.py` has the C library read it.

use std::path::PathBuf;
use std::process::ExitCode;

use hdf5_lite::{
    Array, ByteOrder, CompoundType, Dataspace, Datatype, FixedPoint, Member, OpaqueType, Result,
    Value, Writer,
};

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return ExitCode::from(2);
    };
    match tour().and_then(|file| file.write_to(&path)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "this is a program")]
            {
                eprintln!("{}: {error}", path.display());
            }
            ExitCode::FAILURE
        }
    }
}

fn tour() -> Result<Writer<'static>> {
    let mut file = Writer::new();
    attributes(&mut file)?;
    layouts(&mut file)?;
    filters(&mut file)?;
    types(&mut file)?;
    many(&mut file)?;
    Ok(file)
}

fn attributes(file: &mut Writer<'_>) -> Result<()> {
    let mut group = file.group("attributes")?;
    group.set_attr("text", "A tour, \u{e9}")?.set_attr("nothing", "")?;
    group.set_attr("texts", ["dense", "\u{4e2d}"])?;
    group.set_attr("fixed", Array::fixed_strings(["dense", "dense_1"]))?;
    group.set_attr("number", 2.5_f32)?.set_attr("numbers", [1_u8, 2, 3])?;
    group.set_attr("flag", true)?;
    group.set_attr("empty", Array::null(Datatype::of::<i16>()))?;
    let names = (0..5000).map(|n| format!("a_layer_with_a_long_name_{n}"));
    group.set_attr("long", Array::fixed_strings(names))?;
    Ok(())
}

/// Numbers of 0 to 5999, in 60 rows.
fn rows() -> Array<'static> {
    Array::new([60, 100], (0..6000).collect::<Vec<i32>>())
}

fn layouts(file: &mut Writer<'_>) -> Result<()> {
    let mut group = file.group("layouts")?;
    group.dataset("contiguous", rows())?.set_attr("unit", "m")?;
    group.dataset("compact", Array::new([2, 3], vec![1_i16, 2, 3, 4, 5, 6]))?.compact();
    group.dataset("scalar", 1.5)?;
    group.dataset("chunks", rows())?.chunks([7, 13]);
    group.dataset("many_chunks", rows())?.chunks([1, 2]);
    group.dataset("packed", rows())?.chunks([16, 16]).shuffle().deflate(6).fletcher32();
    let noise = (0..1000_u32).map(|n| n.wrapping_mul(0x9e37_79b9) ^ n << 13);
    group.dataset("noise", noise.collect::<Vec<_>>())?.chunks([500]).deflate(9);
    let growing = Dataspace::from([60, 100]).growing([None, Some(200)]);
    let rows = Array::new(growing, (0..6000).collect::<Vec<i32>>());
    group.dataset("growing", rows)?.chunks([8, 50]).deflate(1).fill_value(-1)?;
    group.dataset("absent", Array::absent([10], Datatype::of::<f64>()))?.fill_value(7.0)?;
    group.dataset("no_rows", Array::new([0, 3], Vec::<f32>::new()))?;
    Ok(())
}

fn filters(file: &mut Writer<'_>) -> Result<()> {
    let mut group = file.group("filters")?;
    group.dataset("lzf", rows())?.chunks([9, 100]).shuffle().lzf();
    group.dataset("scale_offset", rows())?.chunks([7, 13]).scale_offset(0);
    let negative = Array::new([60], (0..60_i64).map(|n| n * n - 1000).collect::<Vec<_>>());
    group.dataset("negative", negative)?.chunks([16]).scale_offset(0);
    let tenths = (0..6000_u16).map(|n| f64::from(n) / 10.0).collect::<Vec<_>>();
    group.dataset("decimal", tenths)?.chunks([1000]).scale_offset(1);
    group.dataset("szip", rows())?.chunks([60, 50]).szip(8);
    let waves: Vec<f32> = (0..5000_u16).map(|n| (f32::from(n) / 100.0).sin()).collect();
    group.dataset("szip_waves", waves)?.chunks([1003]).szip(32);
    let steps: Vec<u16> = (0..4000_u16).map(|n| n.wrapping_mul(n) % 97).collect();
    group.dataset("szip_steps", Array::new([40, 100], steps))?.chunks([7, 100]).szip(16);
    let order = ByteOrder::BigEndian;
    let bits = FixedPoint { size: 2, order, signed: false, offset: 3, precision: 7 };
    let bytes: Vec<u8> = (0..1000_u16).flat_map(|n| ((n % 128) << 3).to_be_bytes()).collect();
    let bits = Array::bytes([1000], Datatype::FixedPoint(bits), bytes);
    group.dataset("nbit", bits)?.chunks([300]).nbit();
    Ok(())
}

fn types(file: &mut Writer<'_>) -> Result<()> {
    let mut group = file.group("types")?;
    let half = |n| half::f16::from_f32(n);
    group.dataset("half", vec![half(0.5), half(-2.0)])?;
    let order = ByteOrder::BigEndian;
    let big = FixedPoint { size: 2, order, signed: false, offset: 0, precision: 16 };
    group.dataset("big", Array::bytes([2], Datatype::FixedPoint(big), vec![1, 0, 0, 2]))?;
    group.dataset("strings", Array::strings([2, 1], ["zero", "one"]))?.chunks([1, 1]).deflate(4);
    let list = |numbers: &[i32]| {
        Value::Sequence(numbers.iter().map(|n| Value::Signed((*n).into())).collect())
    };
    let lists = vec![list(&[1, 2, 3]), list(&[]), list(&[-4])];
    group.dataset("lists", Array::values([3], Datatype::sequence(Datatype::of::<i32>()), lists))?;
    let member = |name: &str, offset, datatype| Member { name: name.into(), offset, datatype };
    let row = Datatype::Compound(CompoundType {
        size: 32,
        members: vec![
            member("name", 0, Datatype::text()),
            member("count", 16, Datatype::of::<u16>()),
            member("at", 24, Datatype::of::<f64>()),
        ],
    });
    let table = [("one", 1), ("two", 2)].map(|(name, n)| {
        Value::Compound(vec![
            ("name".into(), Value::String(name.into())),
            ("count".into(), Value::Unsigned(n)),
            ("at".into(), Value::Float(0.5)),
        ])
    });
    group.dataset("table", Array::values([2], row, table.to_vec()))?;
    let opaque = Datatype::Opaque(OpaqueType { size: 4, tag: b"a tag".to_vec() });
    group.dataset("opaque", Array::bytes([1], opaque, b"\x00ab\xff".to_vec()))?;
    group.dataset("flags", Array::from(&[true, false][..]))?;
    group.datatype("committed", Datatype::of::<i64>())?;
    let to_flags = Value::Reference(group.reference("flags")?);
    let references = Array::values([1], Datatype::object_reference(), vec![to_flags]);
    group.dataset("references", references)?;
    Ok(())
}

fn many(file: &mut Writer<'_>) -> Result<()> {
    for n in 0..20_000 {
        file.group(&format!("many/group {n}"))?;
    }
    let mut many = file.group("many")?;
    for n in 0..1000 {
        many.set_attr(&format!("attribute {n}"), n)?;
    }
    many.soft_link("soft", "/layouts/scalar")?;
    many.hard_link("hard", "/layouts/scalar")?;
    many.external_link("external", "other.h5", "/data")?;
    many.group("a/group/in a/group")?;
    for (number, name) in [(5, "few"), (50, "many")] {
        let mut group = file.group(&format!("ordered/{name}"))?;
        group.track_order()?;
        for n in (0..number).rev() {
            group.group(&format!("{n}"))?;
            group.set_attr(&format!("a{n}"), n)?;
        }
    }
    Ok(())
}
