use std::path::Path;

use hdf5_reader::group::Group;
use hdf5_reader::{Hdf5File, OpenOptions, SliceInfo, SliceInfoElem};

use crate::Question;

pub fn answer(question: Question, path: &Path) -> Option<f64> {
    let options = OpenOptions::default().with_max_read_bytes(usize::MAX);
    let file = Hdf5File::open_with_options(path, options).unwrap();
    if question == Question::Walk {
        return Some(walk(&file.root_group().unwrap()));
    }
    let dataset = file.dataset("data").unwrap();
    let several = std::thread::available_parallelism().map_or(1, usize::from) > 1;
    let all = || {
        let array = if several { dataset.read_array_parallel() } else { dataset.read_array() };
        array.unwrap().into_raw_vec_and_offset().0
    };
    Some(match question {
        Question::Copy => crate::sum_of(&all()),
        Question::Touch => crate::touched(&all()),
        _ => {
            let parts = crate::parts(question, dataset.shape().try_into().unwrap());
            let sums = parts.iter().map(|(start, len)| {
                let axis = |n: usize| SliceInfoElem::Slice {
                    start: start[n],
                    end: start[n] + len[n],
                    step: 1,
                };
                let selection = SliceInfo { selections: vec![axis(0), axis(1)] };
                let array = if several {
                    dataset.read_slice_parallel(&selection)
                } else {
                    dataset.read_slice(&selection)
                };
                crate::sum_of(&array.unwrap().into_raw_vec_and_offset().0)
            });
            sums.sum()
        }
    })
}

fn walk(group: &Group) -> f64 {
    let (groups, datasets) = group.members().unwrap();
    let mut sum = 1.0 + group.attributes().unwrap().len() as f64;
    sum += groups.iter().map(walk).sum::<f64>();
    for dataset in datasets {
        sum += dataset.shape()[0] as f64;
        for attribute in dataset.attributes() {
            sum += if attribute.name == "scale" {
                f64::from(attribute.read_1d::<f32>().unwrap()[0])
            } else {
                attribute.read_string().unwrap().len() as f64
            };
        }
    }
    sum
}
