use std::path::Path;

use rustyhdf5::{AttrValue, File, Group};

use crate::Question;

pub fn answer(question: Question, path: &Path) -> Option<f64> {
    let file = File::open(path).unwrap();
    match question {
        Question::Walk => Some(walk(&file.root())),
        Question::Copy => Some(crate::sum_of(&file.dataset("data").unwrap().read_f32().unwrap())),
        Question::Touch => {
            let dataset = file.dataset("data").unwrap();
            Some(crate::touched(dataset.read_as_slice().unwrap().unwrap()))
        }
        _ => None,
    }
}

fn walk(group: &Group<'_>) -> f64 {
    let mut sum = 1.0 + group.attrs().unwrap().len() as f64;
    for name in group.groups().unwrap() {
        sum += walk(&group.group(&name).unwrap());
    }
    for name in group.datasets().unwrap() {
        let dataset = group.dataset(&name).unwrap();
        sum += dataset.shape().unwrap()[0] as f64;
        for value in dataset.attrs().unwrap().values() {
            sum += match value {
                AttrValue::String(text) => text.len() as f64,
                AttrValue::F64Array(values) => values[0],
                other => panic!("{other:?}"),
            };
        }
    }
    sum
}
