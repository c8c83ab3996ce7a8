//! Tensors and arrays of the crate `ndarray`: the same elements where they stand row by row.

use ndarray::{ArrayBase, ArrayD, ArrayViewD, Data, DataOwned, Dimension, IxDyn};

use crate::tensor::Element;
use crate::{Error, Result, Tensor, View};

/// The array's elements, moved if they stand row by row from the first on, else copied.
///
/// ```
/// use keras_runtime::Tensor;
/// let image = ndarray::Array3::<f32>::zeros((28, 28, 1));
/// assert_eq!(Tensor::from(image).shape(), [28, 28, 1]);
/// ```
impl<T: Element, S: DataOwned<Elem = T>, D: Dimension> From<ArrayBase<S, D>> for Tensor {
    fn from(array: ArrayBase<S, D>) -> Self {
        let shape = array.shape().to_vec();
        let elements = if array.is_standard_layout() {
            let len = array.len();
            let (mut elements, offset) = array.into_owned().into_raw_vec_and_offset();
            // A part that was cut out stands among what was cut off.
            elements.drain(..offset.unwrap_or(0));
            elements.truncate(len);
            elements
        } else {
            array.iter().cloned().collect()
        };
        Self::of_parts(shape, T::data(elements))
    }
}

impl Tensor {
    /// The tensor as an array with the same elements, none of them copied.
    ///
    /// ```
    /// # use keras_runtime::Tensor;
    /// let shares = Tensor::new([2, 2], vec![0.1_f32, 0.9, 0.7, 0.3])?;
    /// let array = shares.into_array::<f32>()?;
    /// assert_eq!(array[[1, 0]], 0.7);
    /// # Ok::<(), keras_runtime::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Op`] if the elements are of another type.
    pub fn into_array<T: Element>(self) -> Result<ArrayD<T>> {
        let (shape, data) = self.into_parts();
        let elements = T::into_vec(data).map_err(|other| wrong::<T>(other.dtype()))?;
        ArrayD::from_shape_vec(IxDyn(&shape), elements)
            .map_err(|e| Error::op("array", e.to_string()))
    }

    /// The tensor as an array, borrowed.
    ///
    /// # Errors
    /// [`Error::Op`] if the elements are of another type.
    pub fn array<T: Element>(&self) -> Result<ArrayViewD<'_, T>> {
        let elements = self.as_slice::<T>().ok_or_else(|| wrong::<T>(self.dtype()))?;
        ArrayViewD::from_shape(IxDyn(self.shape()), elements)
            .map_err(|e| Error::op("array", e.to_string()))
    }
}

impl<'a> View<'a> {
    /// An array as a borrowed tensor, if its elements stand row by row; nothing is copied.
    pub fn of_array<T, S, D>(array: &'a ArrayBase<S, D>) -> Option<Self>
    where
        T: Element,
        S: Data<Elem = T>,
        D: Dimension,
    {
        Some(Self { shape: array.shape(), data: T::borrow(array.as_slice()?) })
    }
}

fn wrong<T: Element>(found: keras_model::DType) -> Error {
    Error::op("array", format!("expected {}, found {found}", T::DTYPE))
}

#[test]
fn arrays_keep_their_elements() {
    let array = ndarray::Array2::from_shape_fn((3, 4), |(i, j)| (4 * i + j) as f32);
    let turned = Tensor::from(array.t().to_owned());
    assert_eq!(turned.as_slice::<f32>().unwrap()[..4], [0.0, 4.0, 8.0, 1.0]);
    let part = Tensor::from(array.slice(ndarray::s![1..3, ..]).to_owned());
    assert_eq!(part.as_slice::<f32>().unwrap()[0], 4.0);
    let part = Tensor::from(array.clone().slice_move(ndarray::s![1..3, ..]));
    assert_eq!((part.shape(), part.as_slice::<f32>().unwrap()[7]), (&[2, 4][..], 11.0));
    let tensor = Tensor::from(array.clone());
    let elements = tensor.as_slice::<f32>().unwrap().as_ptr();
    assert_eq!(View::of_array(&array).unwrap().shape, [3, 4]);
    assert!(View::of_array(&array.t()).is_none());
    assert!(tensor.array::<f64>().is_err());
    assert_eq!(tensor.array::<f32>().unwrap()[[2, 3]], 11.0);
    let back = tensor.into_array::<f32>().unwrap();
    assert_eq!((back.as_ptr(), back), (elements, array.into_dyn()));
}
