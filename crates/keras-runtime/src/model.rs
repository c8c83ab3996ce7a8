//! A loaded model that predicts.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use keras_model::source::dialect::Generation;
use keras_model::{Arg, DType, Inputs, KerasTensor, Kind, ModelFile, Shape, Weight};

use crate::graph::{Builder, Constant};
use crate::lower;
use crate::plan::Plan;
use crate::{Error, Result, Tensor};

/// Opens a model file of any Keras version, ready to predict: `keras.models.load_model`.
///
/// # Errors
/// [`Error::Model`] if the file is broken, or names what its author has to supply.
pub fn load_model(path: impl AsRef<Path>) -> Result<Model> {
    Model::from_file(keras_model::load_model(path)?)
}

/// An input of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Name of its layer.
    pub name: String,
    /// Its shape; `None` for any length.
    pub shape: Shape,
    /// Its element type.
    pub dtype: DType,
}

/// The weights of a model, read when they are used.
pub(crate) struct Weights {
    all: Vec<Weight>,
    places: HashMap<(String, String), usize>,
    constants: Mutex<HashMap<usize, Arc<Constant>>>,
    assets: BTreeMap<String, Bytes>,
    /// Whether Keras 3 wrote the file.
    pub(crate) is_keras3: bool,
}

impl Weights {
    fn new(weights: Vec<Weight>, assets: BTreeMap<String, Bytes>, is_keras3: bool) -> Self {
        let mut places = HashMap::new();
        for (i, weight) in weights.iter().enumerate() {
            places.entry((weight.layer.clone(), weight.name.clone())).or_insert(i);
        }
        Self { all: weights, places, constants: Mutex::default(), assets, is_keras3 }
    }

    pub(crate) fn has(&self, layer: &str, name: &str) -> bool {
        self.places.contains_key(&(layer.to_owned(), name.to_owned()))
    }

    /// The vocabulary in the assets whose folder has the layer's name, or the only one.
    pub(crate) fn vocabulary(&self, layer: &str) -> Option<&Bytes> {
        let all = || self.assets.iter().filter(|(path, _)| path.ends_with("vocabulary.txt"));
        let named = all().find(|(path, _)| {
            let folder = path.strip_suffix("/vocabulary.txt");
            folder.is_some_and(|f| f == layer || f.ends_with(&format!("/{layer}")))
        });
        let mut rest = all();
        let only = rest.next().filter(|_| rest.next().is_none());
        named.or(only).map(|(_, bytes)| bytes)
    }

    pub(crate) fn find(&self, layer: &str, name: &str) -> Result<Option<Arc<Constant>>> {
        let Some(place) = self.places.get(&(layer.to_owned(), name.to_owned())) else {
            return Ok(None);
        };
        let mut constants = self.constants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(constant) = constants.get(place) {
            return Ok(Some(Arc::clone(constant)));
        }
        let Some(weight) = self.all.get(*place) else { return Ok(None) };
        let constant = Arc::new(constant(weight)?);
        constants.insert(*place, Arc::clone(&constant));
        Ok(Some(constant))
    }
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

/// A model that predicts. It can be used from several threads at once.
pub struct Model {
    file: ModelFile,
    inputs: Vec<Input>,
    weights: Weights,
    plans: Mutex<Vec<(PlanKey, Arc<Plan>)>>,
}

/// What a plan was made for: shape of each input.
type PlanKey = Vec<Vec<usize>>;

/// Plans that are kept; the one not used for longest goes first.
const PLANS: usize = 16;

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("inputs", &self.inputs).finish_non_exhaustive()
    }
}

impl Model {
    /// The model of a file that was loaded with choices: custom objects, weights beside it...
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a subclass of `keras.Model`, whose calls are code.
    pub fn from_file(mut file: ModelFile) -> Result<Self> {
        let is_keras3 = file.generation == Generation::Keras3;
        let own = std::mem::take(&mut file.weights);
        let weights = Weights::new(own, file.assets.clone(), is_keras3);
        if file.model().is_none() {
            return Err(Error::Unsupported {
                layer: file.root.base.name.clone(),
                class: file.root.base.class.clone(),
                what: "a subclassed model, whose graph only its author's code knows,".to_owned(),
            });
        }
        let named = file.inputs().into_iter();
        let inputs = named.map(|(name, tensor)| Input {
            name: name.to_owned(),
            shape: tensor.shape,
            dtype: tensor.dtype,
        });
        let inputs = inputs.collect();
        Ok(Self { file, inputs, weights, plans: Mutex::default() })
    }

    /// What it takes, in the order of `model.inputs`.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// What it gives, flattened as Keras flattens, if the shapes are known.
    pub fn outputs(&self) -> Option<Vec<KerasTensor>> {
        self.file.outputs()
    }

    /// The typed model behind it, without its weights.
    pub fn file(&self) -> &ModelFile {
        &self.file
    }

    /// The outputs for these inputs, all in the order of the model: `model.predict`.
    ///
    /// # Errors
    /// [`Error::InputCount`] and [`Error::Input`] if the inputs are not what the model takes;
    /// [`Error::Layer`] and [`Error::Unsupported`] if a layer cannot be computed for them.
    pub fn predict(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        // A row of layers that was saved without a shape takes anything.
        let inputs: Vec<Tensor> = if self.inputs.is_empty() {
            inputs.to_vec()
        } else {
            if inputs.len() != self.inputs.len() {
                let (expected, found) = (self.inputs.len(), inputs.len());
                return Err(Error::InputCount { expected, found });
            }
            let pairs = self.inputs.iter().zip(inputs);
            pairs.map(|(input, tensor)| input.fit(tensor)).collect::<Result<_>>()?
        };
        let plan = self.plan(&inputs)?;
        plan.run(&inputs)
    }

    /// The outputs for the rows of the inputs, `size` rows at a time, one behind the other:
    /// `model.predict(batch_size=size)`.
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn predict_batches(&self, inputs: &[Tensor], size: usize) -> Result<Vec<Tensor>> {
        let rows = inputs.first().and_then(|t| t.shape().first().copied()).unwrap_or(0);
        let same = inputs.iter().all(|t| t.shape().first() == Some(&rows));
        if !same || rows <= size || size == 0 {
            return self.predict(inputs);
        }
        let mut outputs: Vec<Vec<Tensor>> = Vec::new();
        let mut start = 0;
        while start < rows {
            let end = rows.min(start + size);
            let part: Vec<Tensor> =
                inputs.iter().map(|t| t.rows(start, end)).collect::<Result<_>>()?;
            outputs.push(self.predict(&part)?);
            start = end;
        }
        let count = outputs.first().map_or(0, Vec::len);
        (0..count)
            .map(|i| {
                let parts: Vec<&Tensor> = outputs.iter().filter_map(|o| o.get(i)).collect();
                Tensor::concat_rows(&parts)
            })
            .collect()
    }

    fn plan(&self, inputs: &[Tensor]) -> Result<Arc<Plan>> {
        let key: PlanKey = inputs.iter().map(|t| t.shape().to_vec()).collect();
        {
            let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = plans.iter().position(|(k, _)| *k == key) {
                let found = plans.remove(at);
                let plan = Arc::clone(&found.1);
                plans.push(found);
                return Ok(plan);
            }
        }
        let plan = Arc::new(self.lower(inputs)?);
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= PLANS {
            plans.remove(0);
        }
        plans.push((key, Arc::clone(&plan)));
        Ok(plan)
    }

    fn lower(&self, inputs: &[Tensor]) -> Result<Plan> {
        let mut builder = Builder::new(&self.weights);
        let values = inputs.iter().enumerate();
        let values: Vec<_> = values.map(|(i, t)| builder.input(i, t.shape(), t.dtype())).collect();
        let call = Inputs {
            args: vec![match values.as_slice() {
                [one] => Arg::Tensor(*one),
                many => Arg::List(many.iter().map(|v| Arg::Tensor(*v)).collect()),
            }],
            kwargs: Vec::new(),
        };
        let Kind::Model(model) = &self.file.root.kind else {
            return Err(Error::Value("the file holds no graph of layers".to_owned()));
        };
        builder.enter_root(&self.file.root.base);
        let outputs = lower::model::lower(model, &mut builder, &call)?;
        builder.leave();
        builder.graph.outputs = outputs;
        Plan::new(builder.graph)
    }
}

impl Input {
    /// The tensor as the model takes it: floats and integers in its type, an axis of length 1 at the
    /// end added or dropped as Keras does.
    fn fit(&self, tensor: &Tensor) -> Result<Tensor> {
        let dims = self.shape.dims();
        let mut shape = tensor.shape().to_vec();
        if shape.len() + 1 == dims.len() && dims.last() == Some(&Some(1)) {
            shape.push(1);
        } else if shape.len() == dims.len() + 1 && shape.last() == Some(&1) {
            shape.pop();
        }
        // As in Keras the number of samples may be another one than in the file.
        let pairs = shape.iter().zip(dims).skip(1);
        let fits =
            shape.len() == dims.len() && pairs.into_iter().all(|(n, d)| d.is_none_or(|d| d == *n));
        let text = |dtype| dtype == DType::String;
        if !fits || text(tensor.dtype()) != text(self.dtype) {
            return Err(Error::Input {
                name: self.name.clone(),
                expected: self.shape.clone(),
                dtype: self.dtype,
                found: Shape::from(tensor.shape()),
                found_dtype: tensor.dtype(),
            });
        }
        tensor.cast(self.dtype)?.with_shape(shape)
    }
}
