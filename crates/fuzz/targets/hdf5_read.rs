//! Read every dataset: all of it, parts of it, as bytes, numbers, strings and values.

#![no_main]

use hdf5_lite::{Axis, Dataset, File, Node, Object, Reference, Value};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::each_object(bytes, visit));

fn visit(file: &File, node: &Node) -> Vec<Object> {
    let Node::Dataset(dataset) = node else { return Vec::new() };
    let _ = (dataset.as_slice::<f32>(), dataset.stored_bytes(), dataset.extent());
    parts(dataset);
    if let (Ok(all), Ok(bytes)) = (dataset.read::<f64>(), dataset.bytes()) {
        let size = dataset.datatype().size().max(1);
        assert!(all.len() >= bytes.len() / size, "numbers are missing");
    }
    let _ = (dataset.read::<i8>(), dataset.read::<u64>(), dataset.strings());
    let mut referred = Vec::new();
    for value in dataset.values().unwrap_or_default() {
        let Value::Reference(reference) = value else { continue };
        let Ok(object) = file.dereference(&reference) else { continue };
        if let Reference::Region(region) = &reference
            && let Ok(Node::Dataset(dataset)) = object.clone().into_node()
        {
            let _ = dataset.bytes_of_region(region);
        }
        referred.push(object);
    }
    referred
}

fn parts(dataset: &Dataset) {
    let Ok(extent) = dataset.extent() else { return };
    let axes = |axis: &dyn Fn(u64) -> Axis| -> Vec<Axis> {
        extent.dims.iter().map(|len| axis(*len)).collect()
    };
    let first = axes(&|_| Axis::from(0..1));
    let middle = axes(&|len| Axis::from(len / 3..len / 2));
    let strided = axes(&|_| Axis { start: 0, stride: 3, count: None, block: 2 });
    for part in [first, middle, strided] {
        let _ = dataset.read_slice::<f32>(&part);
        let _ = dataset.values_of_slice(&part);
    }
    let last: Vec<u64> = extent.dims.iter().map(|len| len.saturating_sub(1)).collect();
    let _ = dataset.bytes_of_points(&[vec![0; last.len()], last]);
}
