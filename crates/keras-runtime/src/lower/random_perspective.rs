//! `RandomPerspective`.

use keras_model::DType;
use keras_model::layers::random_perspective::RandomPerspective;
use keras_model::layers::spatial::DataFormat;
use keras_model::layers::up_sampling::Interpolation;

use super::augment::{self, Augment};
use super::ops::image::{Projection, homography, project};
use crate::Result;
use crate::graph::{Builder, Value};

impl Augment for RandomPerspective {
    /// Where each pixel comes from, and whether an image is changed.
    type Drawn = [Value; 2];

    fn data_format(&self) -> DataFormat {
        self.data_format
    }

    fn draw(&self, b: &mut Builder<'_>, images: Value) -> Result<[Value; 2]> {
        let applies = augment::applies(b, images, self.factor.range(0.0))?;
        let batch = b.dim(images, 0)?;
        let half = 0.5 * self.scale.0;
        let by = augment::uniform(b, &[batch, 4, 2], [-half, half])?;
        let (right, bottom) = (b.dim(images, 2)? as f64 - 1.0, b.dim(images, 1)? as f64 - 1.0);
        let corners = vec![0.0, 0.0, right, 0.0, 0.0, bottom, right, bottom];
        let start = b.numbers([1, 4, 2], corners, DType::Float32)?;
        let start = b.broadcast_to(start, [batch, 4, 2])?;
        let way = b.mul(start, by)?;
        let end = b.add(start, way)?;
        Ok([homography(b, start, end)?, applies])
    }

    fn change(&self, b: &mut Builder<'_>, images: Value, drawn: &[Value; 2]) -> Result<Value> {
        self.changed(b, images, drawn, self.interpolation)
    }

    fn change_masks(&self, b: &mut Builder<'_>, masks: Value, drawn: &[Value; 2]) -> Result<Value> {
        self.changed(b, masks, drawn, Interpolation::Nearest)
    }
}

trait Changed {
    fn changed(
        &self,
        b: &mut Builder<'_>,
        images: Value,
        drawn: &[Value; 2],
        how: Interpolation,
    ) -> Result<Value>;
}

impl Changed for RandomPerspective {
    fn changed(
        &self,
        b: &mut Builder<'_>,
        images: Value,
        [transforms, applies]: &[Value; 2],
        how: Interpolation,
    ) -> Result<Value> {
        let is_nearest = how == Interpolation::Nearest;
        let projection = Projection { fill: "constant", value: self.fill_value.0, is_nearest };
        let changed = project(b, images, *transforms, &projection)?;
        b.select(*applies, changed, images)
    }
}
