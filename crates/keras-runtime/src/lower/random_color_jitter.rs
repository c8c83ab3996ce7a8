//! `RandomColorJitter`: four layers of their own, one behind the other.

use keras_model::layers::random_brightness::RandomBrightness;
use keras_model::layers::random_color_jitter::RandomColorJitter;
use keras_model::layers::random_contrast::RandomContrast;
use keras_model::layers::random_hue::RandomHue;
use keras_model::layers::random_saturation::RandomSaturation;
use keras_model::layers::spatial::DataFormat;

use super::augment::Augment;
use crate::Result;
use crate::graph::{Builder, Value};

impl Augment for RandomColorJitter {
    /// Each of its layers draws for what the one before gives.
    type Drawn = ();

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, _b: &mut Builder<'_>, _images: Value) -> Result<()> {
        Ok(())
    }

    fn change(&self, b: &mut Builder<'_>, images: Value, (): &()) -> Result<Value> {
        // One row for each class that the four share all fields with.
        macro_rules! changed {
            ($x:ident, $($class:ident($factor:ident)),*) => {$(
                if let Some(factor) = self.$factor {
                    let layer = $class {
                        factor,
                        value_range: self.value_range,
                        seed: None,
                        data_format: self.data_format,
                        bounding_box_format: None,
                    };
                    $x = layer.augment(b, $x)?;
                }
            )*};
        }
        let mut x = images;
        changed!(
            x,
            RandomBrightness(brightness_factor),
            RandomContrast(contrast_factor),
            RandomSaturation(saturation_factor),
            RandomHue(hue_factor)
        );
        Ok(x)
    }
}
