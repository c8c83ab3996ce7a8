//! The weights of a model, read when they are used.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use keras_model::{DType, Weight};

use crate::graph::Constant;
use crate::tensor::Data;
use crate::writer::Writer;
use crate::{Error, Limits, Result, Tensor};

/// The weights of a model, read when they are used.
pub(crate) struct Weights {
    all: Vec<Weight>,
    /// The places of those that were changed since.
    changed: BTreeSet<usize>,
    places: HashMap<(String, String), usize>,
    constants: Mutex<Constants>,
    assets: BTreeMap<String, Bytes>,
    /// Who wrote the file.
    pub(crate) writer: Writer,
}

/// The weights that were read.
#[derive(Default)]
struct Constants {
    read: HashMap<usize, Arc<Constant>>,
    /// Bytes of those that are in no file.
    made: u64,
}

impl Weights {
    pub(crate) fn new(
        weights: Vec<Weight>,
        assets: BTreeMap<String, Bytes>,
        writer: Writer,
    ) -> Self {
        let mut places = HashMap::new();
        for (i, weight) in weights.iter().enumerate() {
            places.entry((weight.layer.clone(), weight.name.clone())).or_insert(i);
        }
        Self {
            all: weights,
            changed: BTreeSet::new(),
            places,
            constants: Mutex::default(),
            assets,
            writer,
        }
    }

    pub(crate) fn has(&self, layer: &str, name: &str) -> bool {
        self.places.contains_key(&(layer.to_owned(), name.to_owned()))
    }

    /// The vocabulary of that layer: where the file names objects otherwise, the one whose folder
    /// has the layer's name, or the only one.
    pub(crate) fn vocabulary(&self, layer: &str) -> Option<&Bytes> {
        if let Some(own) = self.assets.get(&format!("{layer}/vocabulary.txt")) {
            return Some(own);
        }
        let all = || self.assets.iter().filter(|(path, _)| path.ends_with("vocabulary.txt"));
        let named = all().find(|(path, _)| {
            let folder = path.strip_suffix("/vocabulary.txt");
            folder.is_some_and(|f| f.ends_with(&format!("/{layer}")))
        });
        let mut rest = all();
        let only = rest.next().filter(|_| rest.next().is_none());
        named.or(only).map(|(_, bytes)| bytes)
    }

    /// All of them, in the order of `get_weights()`.
    pub(crate) fn get(&self) -> Result<Vec<Tensor>> {
        let constants = self.constants.lock().unwrap_or_else(PoisonError::into_inner);
        let weights = self.all.iter().enumerate();
        let weights = weights.map(|(at, weight)| match constants.read.get(&at) {
            Some(constant) => Ok(constant.view().to_tensor()),
            None => to_tensor(weight),
        });
        weights.collect()
    }

    /// All of them as they are now, in the order of `get_weights()`, as a file takes them.
    pub(crate) fn all(&self) -> Result<Vec<Weight>> {
        let constants = self.constants.lock().unwrap_or_else(PoisonError::into_inner);
        let now = |(place, weight): (usize, &Weight)| match constants.read.get(&place) {
            Some(constant) if self.changed.contains(&place) => {
                let tensor = constant.view().to_tensor();
                Ok(weight.with_bytes(to_bytes(&tensor)?)?)
            }
            _ => Ok(weight.clone()),
        };
        self.all.iter().enumerate().map(now).collect()
    }

    /// Puts others in their place, in that order.
    pub(crate) fn set(&mut self, weights: Vec<Tensor>) -> Result<()> {
        if weights.len() != self.all.len() {
            let (expected, found) = (self.all.len(), weights.len());
            return Err(Error::Value(format!("the model has {expected} weights, not {found}")));
        }
        let mut given = Vec::with_capacity(weights.len());
        for (tensor, own) in weights.into_iter().zip(&self.all) {
            if tensor.shape() != own.shape {
                let (path, expected, found) = (&own.path, &own.shape, tensor.shape());
                return Err(Error::Value(format!(
                    "weight {path:?} has shape {expected:?}, not {found:?}"
                )));
            }
            let tensor = tensor.cast(storable(own.dtype))?;
            given.push(own.with_bytes(to_bytes(&tensor)?)?);
        }
        self.all = given;
        self.changed.clear();
        self.constants = Mutex::default();
        Ok(())
    }

    /// The weight at a place among all, not as it is now.
    pub(crate) fn weight(&self, place: usize) -> Option<&Weight> {
        self.all.get(place)
    }

    /// The elements of the weight at a place among all.
    pub(crate) fn tensor(&self, place: usize, limits: &Limits) -> Result<Tensor> {
        let constant = self.read(place, limits)?;
        let constant = constant.ok_or_else(|| Error::Value("no weight".to_owned()))?;
        Ok(constant.view().to_tensor())
    }

    /// Changes the weight at a place among all: what is mapped is copied first.
    pub(crate) fn change<T>(
        &mut self,
        place: usize,
        limits: &Limits,
        change: impl FnOnce(&mut Tensor) -> Result<T>,
    ) -> Result<T> {
        let Some(mut constant) = self.read(place, limits)? else {
            return Err(Error::Value("no weight".to_owned()));
        };
        let constants = self.constants.get_mut().unwrap_or_else(PoisonError::into_inner);
        constants.read.remove(&place);
        // A plan may still hold it, or the file.
        let mut tensor = match Arc::get_mut(&mut constant) {
            Some(Constant::Tensor(tensor)) => std::mem::replace(tensor, Tensor::scalar(0_u8)),
            _ => constant.view().to_tensor(),
        };
        let changed = change(&mut tensor);
        constants.read.insert(place, Arc::new(Constant::Tensor(tensor)));
        self.changed.insert(place);
        changed
    }

    /// Path and shape of the weight at a place among all.
    pub(crate) fn name(&self, place: usize) -> (String, Vec<usize>) {
        let weight = self.all.get(place);
        weight.map(|weight| (weight.path.clone(), weight.shape.clone())).unwrap_or_default()
    }

    /// A weight and its place among all.
    pub(crate) fn place(&self, layer: &str, name: &str) -> Option<(usize, &Weight)> {
        let place = *self.places.get(&(layer.to_owned(), name.to_owned()))?;
        Some((place, self.all.get(place)?))
    }

    /// A weight that training changes by its gradient, and its place among all.
    pub(crate) fn trainable(&self, layer: &str, name: &str) -> Option<(usize, &Weight)> {
        let (place, weight) = self.place(layer, name)?;
        (weight.trainable && weight.dtype.is_float()).then_some((place, weight))
    }

    /// All that training changes by their gradients, in the order of `trainable_weights`.
    pub(crate) fn all_trainable(&self) -> impl Iterator<Item = (usize, &Weight)> {
        let places = self.all.iter().enumerate();
        places.filter(|(_, weight)| weight.trainable && weight.dtype.is_float())
    }

    /// The elements of a weight, if the layer has it.
    pub(crate) fn find(
        &self,
        layer: &str,
        name: &str,
        limits: &Limits,
    ) -> Result<Option<Arc<Constant>>> {
        let Some(place) = self.places.get(&(layer.to_owned(), name.to_owned())) else {
            return Ok(None);
        };
        self.read(*place, limits)
    }

    /// The elements of the weight at a place among all.
    pub(crate) fn read(&self, place: usize, limits: &Limits) -> Result<Option<Arc<Constant>>> {
        let mut constants = self.constants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(constant) = constants.read.get(&place) {
            return Ok(Some(Arc::clone(constant)));
        }
        let Some(weight) = self.all.get(place) else { return Ok(None) };
        if weight.is_absent() {
            // Zeros, of a size that only the config claims.
            constants.made = constants.made.saturating_add(weight.byte_len() as u64);
            limits.check_memory(&format!("weight {:?}", weight.path), Some(constants.made))?;
        }
        let constant = Arc::new(constant(weight)?);
        constants.read.insert(place, Arc::clone(&constant));
        Ok(Some(constant))
    }
}

/// The elements of a weight, as its file has them.
pub(crate) fn to_tensor(weight: &Weight) -> Result<Tensor> {
    Ok(constant(weight)?.view().to_tensor())
}

/// The type in which a tensor holds a weight of that type.
pub(crate) fn storable(dtype: DType) -> DType {
    if dtype == DType::Int4 { DType::Int8 } else { dtype }
}

/// Elements as files have them: the lowest byte of each first.
pub(crate) fn to_bytes(tensor: &Tensor) -> Result<Vec<u8>> {
    macro_rules! numbers {
        ($elements:expr) => {
            $elements.iter().flat_map(|element| element.to_le_bytes()).collect()
        };
    }
    Ok(match tensor.data() {
        Data::Float32(v) => numbers!(v),
        Data::Float64(v) => numbers!(v),
        Data::Float16(v) => numbers!(v),
        Data::BFloat16(v) => numbers!(v),
        Data::Int8(v) => numbers!(v),
        Data::Int16(v) => numbers!(v),
        Data::Int32(v) => numbers!(v),
        Data::Int64(v) => numbers!(v),
        Data::UInt8(v) => numbers!(v),
        Data::UInt16(v) => numbers!(v),
        Data::UInt32(v) => numbers!(v),
        Data::UInt64(v) => numbers!(v),
        Data::Bool(v) => v.iter().map(|truth| u8::from(*truth)).collect(),
        Data::String(_) => return Err(Error::Value("a weight holds no texts".to_owned())),
    })
}

/// The elements of a weight: as they lie in the file if that is possible.
fn constant(weight: &Weight) -> Result<Constant> {
    let shape = weight.shape.clone();
    let stored = weight.stored_dtype().unwrap_or(weight.dtype);
    let bytes = weight.bytes()?;
    if stored == DType::Float32
        && cfg!(target_endian = "little")
        && bytemuck::try_cast_slice::<u8, f32>(&bytes)
            .is_ok_and(|v| v.len() == shape.iter().product::<usize>())
    {
        return Ok(Constant::Mapped { shape, bytes });
    }
    macro_rules! numbers {
        ($type:ty) => {
            Tensor::new(
                shape,
                bytes
                    .as_chunks::<{ size_of::<$type>() }>()
                    .0
                    .iter()
                    .map(|b| <$type>::from_le_bytes(*b))
                    .collect::<Vec<$type>>(),
            )
        };
    }
    let tensor = match stored {
        DType::Float32 => numbers!(f32),
        DType::Float64 => numbers!(f64),
        DType::Float16 => numbers!(half::f16),
        DType::BFloat16 => numbers!(half::bf16),
        DType::Int8 | DType::Int4 => numbers!(i8),
        DType::Int16 => numbers!(i16),
        DType::Int32 => numbers!(i32),
        DType::Int64 => numbers!(i64),
        DType::UInt8 => numbers!(u8),
        DType::UInt16 => numbers!(u16),
        DType::UInt32 => numbers!(u32),
        DType::UInt64 => numbers!(u64),
        DType::Bool => Tensor::new(shape, bytes.iter().map(|b| *b != 0).collect::<Vec<bool>>()),
        other => {
            let path = &weight.path;
            return Err(Error::Value(format!("weight {path:?} holds {other}, not numbers")));
        }
    };
    tensor.map(Constant::Tensor)
}
