use std::path::Path;

use hdf5_pure::{AttrValue, File, Group};

use crate::Question;

pub fn answer(question: Question, path: &Path) -> Option<f64> {
    // It opens small files faster when it reads them whole, large ones when it does not.
    if question == Question::Walk {
        return Some(walk(&File::open(path).unwrap().root()));
    }
    let dataset = File::open_streaming(path).unwrap().dataset("data").unwrap();
    Some(match question {
        Question::Copy => crate::sum_of(&dataset.read_f32().unwrap()),
        Question::Touch => crate::touched(&dataset.read_f32().unwrap()),
        Question::Rows => {
            let parts = crate::parts(question, dataset.shape().unwrap().try_into().unwrap());
            let sums = parts.iter().map(|(start, len)| {
                crate::sum_of(&dataset.read_f32_rows(start[0], len[0]).unwrap())
            });
            sums.sum()
        }
        _ => return None,
    })
}

fn walk(group: &Group) -> f64 {
    let mut sum = 1.0 + group.attrs().unwrap().len() as f64;
    for (_, child) in group.iter_groups().unwrap() {
        sum += walk(&child);
    }
    for (_, dataset) in group.iter_datasets().unwrap() {
        sum += dataset.shape().unwrap()[0] as f64;
        for value in dataset.attrs().unwrap().values() {
            sum += match value {
                AttrValue::String(text) | AttrValue::VarLenString(text) => text.len() as f64,
                AttrValue::F64Array(values) => values[0],
                AttrValue::F32Array(values) => f64::from(values[0]),
                other => panic!("{other:?}"),
            };
        }
    }
    sum
}
