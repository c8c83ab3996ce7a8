//! Learning-rate schedules.
//! Source: `keras/src/optimizers/schedules/learning_rate_schedule.py`, Keras 3.15.

use super::kinds::kinds;

kinds! {
    /// How the learning rate follows from the number of steps made.
    Schedule {
        ExponentialDecay {
            initial_learning_rate: f64, decay_steps: f64, decay_rate: f64, staircase: bool = false,
        },
        PiecewiseConstantDecay { boundaries: Vec<f64>, values: Vec<f64> },
        PolynomialDecay {
            initial_learning_rate: f64, decay_steps: f64, end_learning_rate: f64 = 0.0001,
            power: f64 = 1.0, cycle: bool = false,
        },
        InverseTimeDecay {
            initial_learning_rate: f64, decay_steps: f64, decay_rate: f64, staircase: bool = false,
        },
        CosineDecay {
            initial_learning_rate: f64, decay_steps: f64, alpha: f64 = 0.0,
            warmup_target: Option<f64>, warmup_steps: f64 = 0.0,
        },
        CosineDecayRestarts {
            initial_learning_rate: f64, first_decay_steps: f64, t_mul: f64 = 2.0, m_mul: f64 = 1.0,
            alpha: f64 = 0.0,
        },
    }
}
