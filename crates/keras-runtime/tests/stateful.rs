//! Recurrent layers that keep their states.

use keras_runtime::{Predict, Tensor, load_model};

use crate::support::{arrays, assert_close, fixture};

#[test]
fn states_are_kept_and_reset_as_in_keras() {
    let model = load_model(fixture("k3_stateful.keras")).unwrap();
    let x = arrays("k3_stateful", "in");
    for _ in 0..2 {
        assert_close(&model.predict(&x).unwrap(), &arrays("k3_stateful", "out"));
        assert_close(&model.predict(&x).unwrap(), &arrays("k3_stateful", "again"));
        model.reset_states();
    }
    assert_close(&model.predict(&x).unwrap(), &arrays("k3_stateful", "reset"));
}

/// Twice as many rows are two batches, one after the other.
#[test]
fn batches_follow_each_other() {
    let model = load_model(fixture("k3_stateful.keras")).unwrap();
    let x = arrays("k3_stateful", "in");
    let twice = [x[0].as_slice::<f32>().unwrap(); 2].concat();
    let twice = Tensor::new([4, 4, 3], twice).unwrap();
    let found = model.predict_with(&[twice], &Predict::new().batch_size(2)).unwrap();
    let expected = [arrays("k3_stateful", "out"), arrays("k3_stateful", "again")].concat();
    let expected: Vec<f32> =
        expected.iter().flat_map(|t| t.as_slice::<f32>().unwrap()).copied().collect();
    assert_close(&found, &[Tensor::new([4, 2], expected).unwrap()]);
}

#[test]
fn sessions_know_nothing_of_each_other() {
    let model = load_model(fixture("k3_stateful.keras")).unwrap();
    let x = arrays("k3_stateful", "in");
    let mut one = model.session();
    assert_close(&one.predict(&x).unwrap(), &arrays("k3_stateful", "out"));
    assert_close(&model.session().predict(&x).unwrap(), &arrays("k3_stateful", "out"));
    assert_close(&model.predict(&x).unwrap(), &arrays("k3_stateful", "out"));
    assert_close(&one.predict(&x).unwrap(), &arrays("k3_stateful", "again"));
    one.reset_states();
    assert_close(&one.predict(&x).unwrap(), &arrays("k3_stateful", "out"));
}

#[test]
fn another_batch_needs_a_reset() {
    let model = load_model(fixture("k3_stateful.keras")).unwrap();
    let x = arrays("k3_stateful", "in");
    model.predict(&x).unwrap();
    let half = Tensor::new([1, 4, 3], x[0].as_slice::<f32>().unwrap()[..12].to_vec()).unwrap();
    let error = model.predict(std::slice::from_ref(&half)).unwrap_err().to_string();
    assert!(error.contains("reset_states"), "{error}");
    model.reset_states();
    model.predict(&[half]).unwrap();
}
