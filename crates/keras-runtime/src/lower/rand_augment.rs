//! `RandAugment`: some of eleven other layers, one behind the other.

use keras_model::Float;
use keras_model::layers::auto_contrast::AutoContrast;
use keras_model::layers::equalization::Equalization;
use keras_model::layers::image::{Factor, FillMode};
use keras_model::layers::rand_augment::RandAugment;
use keras_model::layers::random_brightness::RandomBrightness;
use keras_model::layers::random_color_degeneration::RandomColorDegeneration;
use keras_model::layers::random_contrast::RandomContrast;
use keras_model::layers::random_posterization::RandomPosterization;
use keras_model::layers::random_rotation::RandomRotation;
use keras_model::layers::random_sharpness::RandomSharpness;
use keras_model::layers::random_shear::RandomShear;
use keras_model::layers::random_translation::RandomTranslation;
use keras_model::layers::solarization::Solarization;
use keras_model::layers::spatial::DataFormat;

use super::augment::{self, Augment};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Function, Relation};

/// A layer with what it drew: changes images, or their masks.
type Change = Box<dyn Fn(&mut Builder<'_>, Value, bool) -> Result<Value>>;

impl Augment for RandAugment {
    /// Which layer comes when `[num_ops]`, and the layers.
    type Drawn = (Value, Vec<Change>);
    const MOVES: bool = true;

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    /// All layers draw, in Keras's order.
    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<Self::Drawn> {
        const LAYERS: f64 = 11.0;
        let which = augment::uniform(b, &[self.num_ops], [0.0, LAYERS])?;
        let which = b.unary(Function::Floor, which)?;
        let [low, high] = self.factor.range(0.0);
        let factor = Factor::Range([Float(low), Float(high)]);
        let bits = Factor::One(Float((8.0 * high).floor().max(1.0)));
        let mut changes = Vec::new();
        // One row for each layer; what all have stands here.
        macro_rules! layers {
            ($($class:ident { $($own:tt)* }),* $(,)?) => {$(
                changes.push(drawn(b, images, $class {
                    data_format: self.data_format,
                    bounding_box_format: None,
                    $($own)*
                })?);
            )*};
        }
        let (fill_mode, fill_value) = (FillMode::default(), Float::default());
        let (interpolation, value_range) = (self.interpolation, self.value_range);
        let (x_factor, y_factor) = (factor, factor);
        let (height_factor, width_factor) = (factor, factor);
        layers! {
            RandomShear { x_factor, y_factor, fill_mode, fill_value, interpolation, seed: None },
            RandomTranslation {
                height_factor, width_factor, fill_mode, fill_value, interpolation, seed: None
            },
            RandomRotation { factor, fill_mode, fill_value, interpolation, seed: None },
            RandomBrightness { factor, value_range, seed: None },
            RandomColorDegeneration { factor, value_range, seed: None },
            RandomContrast { factor, value_range, seed: None },
            RandomSharpness { factor, value_range, seed: None },
            RandomPosterization { factor: bits, value_range, seed: None },
            Solarization {
                addition_factor: factor, threshold_factor: factor, value_range, seed: None
            },
            AutoContrast { value_range },
            Equalization { value_range, bins: 256 },
        }
        Ok((which, changes))
    }

    fn change(&self, b: &mut Builder<'_>, images: Value, drawn: &Self::Drawn) -> Result<Value> {
        chosen(b, images, drawn, false)
    }

    fn change_masks(
        &self,
        b: &mut Builder<'_>,
        masks: Value,
        drawn: &Self::Drawn,
    ) -> Result<Value> {
        chosen(b, masks, drawn, true)
    }
}

/// What a layer does once it has drawn.
fn drawn<L: Augment + 'static>(b: &mut Builder<'_>, images: Value, layer: L) -> Result<Change> {
    let drawn = layer.draw(b, images)?;
    Ok(Box::new(move |b, x, is_mask| {
        if is_mask { layer.change_masks(b, x, &drawn) } else { layer.change(b, x, &drawn) }
    }))
}

/// Goes through the layers as often as they are to be applied.
fn chosen(
    b: &mut Builder<'_>,
    mut x: Value,
    (which, changes): &(Value, Vec<Change>),
    is_mask: bool,
) -> Result<Value> {
    for turn in 0..b.dim(*which, 0)? {
        let which = b.at(*which, 0, turn)?;
        for (i, change) in changes.iter().enumerate() {
            let changed = change(b, x, is_mask)?;
            let is_it = b.compare_number(Relation::Equal, which, i as f64)?;
            x = b.select(is_it, changed, x)?;
        }
    }
    Ok(x)
}
