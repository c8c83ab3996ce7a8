//! Open, and walk everything: groups, links, messages, attributes with their values.

#![no_main]

use hdf5_lite::{File, Node, Object, Value};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::each_object(bytes, visit));

fn visit(file: &File, node: &Node) -> Vec<Object> {
    let mut referred = Vec::new();
    let object = node.object();
    let _ = (object.check_messages(), object.comment(), object.modified());
    let _ = (object.reference_count(), object.messages().count());
    for attribute in object.attrs().unwrap_or_default() {
        let _ = (attribute.strings(), attribute.read::<f32>());
        let _ = object.find_attr(&attribute.name());
        for value in attribute.values().unwrap_or_default() {
            if let Value::Reference(reference) = value {
                referred.extend(file.dereference(&reference));
            }
        }
    }
    match node {
        Node::Group(group) => {
            for link in group.links().unwrap_or_default() {
                let _ = group.find_link(&link.name());
            }
        }
        Node::Dataset(dataset) => {
            let _ = (dataset.filters(), dataset.fill_value(), dataset.external_files());
            let _ = (dataset.layout(), dataset.chunks(), dataset.elements());
        }
        _ => {}
    }
    referred
}
