//! One file per layer class; the table below has one row for each.
//!
//! To add a layer: its file, `mod`, and a row. Everything else (parsing, the class name, shape
//! inference, weights) follows from the row. Classes that differ in the number of axes only share
//! a file that is named after what they have in common: `conv.rs`, `pooling.rs`.
//!
//! ```
//! use keras_model::{DType, Inputs, KerasTensor, Layer};
//!
//! let layer = Layer::from_config(&serde_json::json!({
//!     "class_name": "Conv2D",
//!     "config": {"name": "stem", "filters": 8, "kernel_size": [3, 3], "strides": 2},
//! }))?;
//! let image = KerasTensor::new([None, Some(28), Some(28), Some(1)], DType::Float32);
//! let call = Inputs::one(image);
//! assert_eq!(layer.output(&call)?[0].shape.to_string(), "(None, 13, 13, 8)");
//! assert_eq!(layer.variables(&call)?.own[0].shape, [3, 3, 1, 8]);
//! # Ok::<(), keras_model::Error>(())
//! ```

use std::cell::Cell;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::custom_objects::custom_layer;
use crate::model::ModelClass;
use crate::objects::Regularizer;
use crate::ops::Operation;
pub use crate::today::Today;
use crate::variables::Variables;
use crate::weights::StoredForm;
use crate::{Call, DTypePolicy, Error, Inputs, KerasTensor, Model, Result, Shape};

/// What every layer config has: Keras's `Layer.get_config`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Base {
    /// The class name in Keras 3's form: `Dense`.
    pub class: String,
    /// Unique in its model.
    pub name: String,
    /// Whether gradients reach its weights.
    pub trainable: bool,
    /// What it stores weights in and computes in.
    pub dtype: DTypePolicy,
    /// How an old file stores its variables, where that differs from today's form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<StoredForm>,
    /// Penalty on the output: every layer takes one.
    pub activity_regularizer: Option<Regularizer>,
}

/// What a layer class knows: its config is the implementing type.
pub trait LayerConfig {
    /// The outputs of one call, flattened as Keras flattens.
    ///
    /// # Errors
    /// [`Error::Layer`] if the layer cannot take these inputs.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>>;

    /// The variables that the first call creates.
    ///
    /// # Errors
    /// [`Error::Layer`] if an axis that shapes a weight is not known or sizes overflow.
    fn variables(&self, _call: &Call<'_>) -> Result<Variables> {
        Ok(Variables::none())
    }

    /// What it does to the mask of its input, where the file has no explicit mask.
    /// Most layers end it: `Layer.supports_masking` is off unless a class turns it on.
    fn mask(&self) -> Mask {
        Mask::Drops
    }

    /// One time step, if it is a cell of a recurrent layer and its sizes are known.
    fn step(&self, _call: &Call<'_>) -> Result<Option<Step>> {
        Ok(None)
    }

    /// The layers that it holds, with the attribute that holds each.
    fn sublayers(&self) -> Vec<(&'static str, &Layer)> {
        Vec::new()
    }

    /// The config that a layer of the caller's is saved with, where that is not the one it was made
    /// from.
    fn config(&self) -> Option<Value> {
        None
    }

    /// What Keras 3 has in its place. Most layers are in Keras 3 as they are.
    fn today(&self) -> Today {
        Today::Same
    }
}

/// What a recurrent cell gives at each time step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Shape of the output, batch included.
    pub output: Shape,
    /// Shapes of the states, batch included.
    pub states: Vec<Shape>,
}

impl Step {
    /// The cell's result as a layer: the output, then the states.
    pub(crate) fn tensors(self, call: &Call<'_>) -> Vec<KerasTensor> {
        let tensor = |shape| KerasTensor::new(shape, call.base.dtype.compute);
        std::iter::once(self.output).chain(self.states).map(tensor).collect()
    }
}

/// What a layer does to an implicit mask. Source: `compute_mask` of each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Mask {
    /// The output has the input's mask.
    Passes,
    /// The output has none.
    Drops,
    /// It makes a new one from the values: `Masking`, `Embedding(mask_zero=True)`.
    Creates,
    /// It joins those of its inputs: merging layers.
    Merges,
}

macro_rules! layers {
    ($($class:literal => $variant:ident($config:ty)),* $(,)?) => {
        /// The typed config of a layer, one variant per class.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each variant is documented at its type")]
        pub enum Kind {
            $($variant(Box<$config>),)*
            /// A model called as a layer.
            Model(Box<crate::Model>),
            /// An operation of `keras.ops` as a node of a graph.
            Operation(Box<crate::ops::Operation>),
            /// A class that this crate does not know, or a `Lambda` that the caller knows.
            Custom(Box<custom::Custom>),
        }

        /// Every layer class that this crate knows.
        pub const CLASSES: &[&str] = &[$($class),*];

        impl Kind {
            fn parse(class: &str, config: &Value) -> Result<Option<Self>, ConfigError> {
                match class {
                    $($class => boxed::<$config>(config).map(|c| Some(Self::$variant(c))),)*
                    _ => Ok(None),
                }
            }

            /// The config behind its trait.
            pub fn config(&self) -> &dyn LayerConfig {
                match self {
                    $(Self::$variant(config) => config.as_ref(),)*
                    Self::Model(config) => config.as_ref(),
                    Self::Operation(config) => config.as_ref(),
                    Self::Custom(config) => config.as_ref(),
                }
            }

            /// The class of a layer of Keras's own.
            pub(crate) const fn class(&self) -> Option<&'static str> {
                match self {
                    $(Self::$variant(_) => Some($class),)*
                    Self::Model(_) | Self::Operation(_) | Self::Custom(_) => None,
                }
            }

            /// Its arguments by the names of the class's constructor.
            fn to_config(&self) -> serde_json::Result<Value> {
                match self {
                    $(Self::$variant(config) => serde_json::to_value(config),)*
                    Self::Model(config) => Ok(config.to_config()),
                    Self::Operation(config) => Ok(config.config.clone()),
                    Self::Custom(config) => Ok(config.to_config()),
                }
            }
        }
    };
}

/// What is wrong with a config, and where.
struct ConfigError {
    path: String,
    reason: serde_json::Error,
}

/// How configs are read: configs nest layers, and serde hands no context down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// No layer is being read.
    Idle,
    /// Where in a config an error is costs too much to keep track of before there is one.
    Fast,
    /// There is one: the whole is read again, with the place.
    Tracked,
}

thread_local! {
    static READING: Cell<Reading> = const { Cell::new(Reading::Idle) };
}

fn typed<T: DeserializeOwned>(config: &Value) -> Result<T, ConfigError> {
    if READING.get() == Reading::Tracked {
        return tracked(config);
    }
    T::deserialize(config).map_err(|reason| ConfigError { path: ".".to_owned(), reason })
}

fn tracked<T: DeserializeOwned>(config: &Value) -> Result<T, ConfigError> {
    fn place<T: DeserializeOwned>(config: &Value) -> Option<String> {
        let read = serde_path_to_error::deserialize::<_, T>(config);
        read.err().map(|error| error.path().to_string())
    }
    serde_path_to_error::deserialize(config).map_err(|error| {
        let path = error.path().to_string();
        // Of structs whose keys stand among those of others serde does not say which key it was.
        let parts = [
            place::<arrays::KernelAndBias>,
            place::<arrays::RecurrentKernels>,
            place::<quantized::Lora>,
        ];
        let found = parts.iter().filter(|_| path == ".").find_map(|part| part(config));
        ConfigError { path: found.unwrap_or(path), reason: error.into_inner() }
    })
}

/// Apart from its caller, whose stack frame would else hold a place for every type of config at
/// each level of nesting.
#[inline(never)]
fn boxed<T: DeserializeOwned>(config: &Value) -> Result<Box<T>, ConfigError> {
    typed(config).map(Box::new)
}

pub mod activation;
pub mod activity_regularization;
pub mod adaptive_average_pooling1d;
pub mod adaptive_average_pooling2d;
pub mod adaptive_average_pooling3d;
pub mod adaptive_max_pooling1d;
pub mod adaptive_max_pooling2d;
pub mod adaptive_max_pooling3d;
pub mod adaptive_pooling;
pub mod add;
pub mod additive_attention;
pub mod alpha_dropout;
pub mod arrays;
pub mod attention;
pub mod aug_mix;
pub mod auto_contrast;
pub mod average;
pub mod average_pooling1d;
pub mod average_pooling2d;
pub mod average_pooling3d;
pub mod axes;
pub mod batch_normalization;
pub mod bidirectional;
pub mod category_encoding;
pub mod center_crop;
pub mod concatenate;
pub mod contrast_limited_adaptive_histogram_equalization;
pub mod conv;
pub mod conv1d;
pub mod conv1d_transpose;
pub mod conv2d;
pub mod conv2d_transpose;
pub mod conv3d;
pub mod conv3d_transpose;
pub mod conv_lstm;
pub mod conv_lstm1d;
pub mod conv_lstm2d;
pub mod conv_lstm2d_cell;
pub mod conv_lstm3d;
pub mod conv_rnn2d;
pub mod conv_transpose;
pub mod cropping;
pub mod cropping1d;
pub mod cropping2d;
pub mod cropping3d;
pub mod cudnn_gru;
pub mod cudnn_lstm;
pub mod cudnn_rnn;
pub mod custom;
pub mod custom_scale_layer;
pub mod cut_mix;
pub mod dense;
pub mod depthwise_conv;
pub mod depthwise_conv1d;
pub mod depthwise_conv2d;
pub mod discretization;
pub mod dot;
pub mod dropout;
pub mod einsum_dense;
pub mod elu;
pub mod embedding;
pub mod encoding;
pub mod equalization;
pub mod feature_space;
pub mod flatten;
pub mod gaussian_dropout;
pub mod gaussian_noise;
pub mod global_average_pooling1d;
pub mod global_average_pooling2d;
pub mod global_average_pooling3d;
pub mod global_max_pooling1d;
pub mod global_max_pooling2d;
pub mod global_max_pooling3d;
pub mod global_pooling;
pub mod group_normalization;
pub mod grouped_query_attention;
pub mod gru;
pub mod gru_cell;
pub mod hashed_crossing;
pub mod hashing;
pub mod highway;
pub mod identity;
pub mod image;
pub mod index_lookup;
pub mod input_layer;
pub mod integer_lookup;
pub mod lambda;
pub mod layer_normalization;
pub mod layer_scale;
pub mod leaky_re_lu;
pub mod locally_connected;
pub mod locally_connected1d;
pub mod locally_connected2d;
pub mod lstm;
pub mod lstm_cell;
pub mod masking;
pub mod max_num_bounding_boxes;
pub mod max_pooling1d;
pub mod max_pooling2d;
pub mod max_pooling3d;
pub mod maximum;
pub mod maxout_dense;
pub mod mel_spectrogram;
pub mod merge;
pub mod merging;
pub mod minimum;
pub mod mix_up;
pub mod multi_head_attention;
pub mod multiply;
pub mod normalization;
pub mod parametric_softplus;
pub mod permute;
pub mod pipeline;
pub mod pooling;
pub mod prelu;
pub mod quantized;
pub mod rand_augment;
pub mod random_brightness;
pub mod random_color_degeneration;
pub mod random_color_jitter;
pub mod random_contrast;
pub mod random_crop;
pub mod random_elastic_transform;
pub mod random_erasing;
pub mod random_flip;
pub mod random_fourier_features;
pub mod random_gaussian_blur;
pub mod random_grayscale;
pub mod random_height;
pub mod random_hue;
pub mod random_invert;
pub mod random_perspective;
pub mod random_posterization;
pub mod random_rotation;
pub mod random_saturation;
pub mod random_sharpness;
pub mod random_shear;
pub mod random_translation;
pub mod random_width;
pub mod random_zoom;
pub mod re_lu;
pub mod recurrent;
pub mod repeat_vector;
pub mod rescaling;
pub mod reshape;
pub mod resizing;
pub mod reversible_embedding;
pub mod rms_normalization;
pub mod rnn;
pub mod separable_conv;
pub mod separable_conv1d;
pub mod separable_conv2d;
pub mod simple_rnn;
pub mod simple_rnn_cell;
pub mod softmax;
pub mod solarization;
pub mod spatial;
pub mod spatial_dropout;
pub mod spatial_dropout1d;
pub mod spatial_dropout2d;
pub mod spatial_dropout3d;
pub mod spectral_normalization;
pub mod srelu;
pub mod stacked_rnn_cells;
pub mod stft_spectrogram;
pub mod string_lookup;
pub mod subtract;
pub mod text_vectorization;
pub mod thresholded_relu;
pub mod time_distributed;
pub mod unit_normalization;
pub mod up_sampling;
pub mod up_sampling1d;
pub mod up_sampling2d;
pub mod up_sampling3d;
pub mod wrapper;
pub mod zero_padding;
pub mod zero_padding1d;
pub mod zero_padding2d;
pub mod zero_padding3d;

layers! {
    "Activation" => Activation(activation::Activation),
    "ActivityRegularization" => ActivityRegularization(activity_regularization::ActivityRegularization),
    "AdaptiveAveragePooling1D" => AdaptiveAveragePooling1D(adaptive_average_pooling1d::AdaptiveAveragePooling1D),
    "AdaptiveAveragePooling2D" => AdaptiveAveragePooling2D(adaptive_average_pooling2d::AdaptiveAveragePooling2D),
    "AdaptiveAveragePooling3D" => AdaptiveAveragePooling3D(adaptive_average_pooling3d::AdaptiveAveragePooling3D),
    "AdaptiveMaxPooling1D" => AdaptiveMaxPooling1D(adaptive_max_pooling1d::AdaptiveMaxPooling1D),
    "AdaptiveMaxPooling2D" => AdaptiveMaxPooling2D(adaptive_max_pooling2d::AdaptiveMaxPooling2D),
    "AdaptiveMaxPooling3D" => AdaptiveMaxPooling3D(adaptive_max_pooling3d::AdaptiveMaxPooling3D),
    "Add" => Add(add::Add),
    "AdditiveAttention" => AdditiveAttention(additive_attention::AdditiveAttention),
    "AlphaDropout" => AlphaDropout(alpha_dropout::AlphaDropout),
    "Attention" => Attention(attention::Attention),
    "AugMix" => AugMix(aug_mix::AugMix),
    "AutoContrast" => AutoContrast(auto_contrast::AutoContrast),
    "Average" => Average(average::Average),
    "AveragePooling1D" => AveragePooling1D(average_pooling1d::AveragePooling1D),
    "AveragePooling2D" => AveragePooling2D(average_pooling2d::AveragePooling2D),
    "AveragePooling3D" => AveragePooling3D(average_pooling3d::AveragePooling3D),
    "BatchNormalization" => BatchNormalization(batch_normalization::BatchNormalization),
    "Bidirectional" => Bidirectional(bidirectional::Bidirectional),
    "CategoryEncoding" => CategoryEncoding(category_encoding::CategoryEncoding),
    "CenterCrop" => CenterCrop(center_crop::CenterCrop),
    "Concatenate" => Concatenate(concatenate::Concatenate),
    "ContrastLimitedAdaptiveHistogramEqualization" => ContrastLimitedAdaptiveHistogramEqualization(contrast_limited_adaptive_histogram_equalization::ContrastLimitedAdaptiveHistogramEqualization),
    "Conv1D" => Conv1D(conv1d::Conv1D),
    "Conv1DTranspose" => Conv1DTranspose(conv1d_transpose::Conv1DTranspose),
    "Conv2D" => Conv2D(conv2d::Conv2D),
    "Conv2DTranspose" => Conv2DTranspose(conv2d_transpose::Conv2DTranspose),
    "Conv3D" => Conv3D(conv3d::Conv3D),
    "Conv3DTranspose" => Conv3DTranspose(conv3d_transpose::Conv3DTranspose),
    "ConvLSTM1D" => ConvLSTM1D(conv_lstm1d::ConvLSTM1D),
    "ConvLSTM2D" => ConvLSTM2D(conv_lstm2d::ConvLSTM2D),
    "ConvLSTM2DCell" => ConvLSTM2DCell(conv_lstm2d_cell::ConvLSTM2DCell),
    "ConvLSTM3D" => ConvLSTM3D(conv_lstm3d::ConvLSTM3D),
    "ConvRNN2D" => ConvRNN2D(conv_rnn2d::ConvRNN2D),
    "Cropping1D" => Cropping1D(cropping1d::Cropping1D),
    "Cropping2D" => Cropping2D(cropping2d::Cropping2D),
    "Cropping3D" => Cropping3D(cropping3d::Cropping3D),
    "CuDNNGRU" => CuDNNGRU(cudnn_gru::CuDNNGRU),
    "CuDNNLSTM" => CuDNNLSTM(cudnn_lstm::CuDNNLSTM),
    "CustomScaleLayer" => CustomScaleLayer(custom_scale_layer::CustomScaleLayer),
    "CutMix" => CutMix(cut_mix::CutMix),
    "Dense" => Dense(dense::Dense),
    "DepthwiseConv1D" => DepthwiseConv1D(depthwise_conv1d::DepthwiseConv1D),
    "DepthwiseConv2D" => DepthwiseConv2D(depthwise_conv2d::DepthwiseConv2D),
    "Discretization" => Discretization(discretization::Discretization),
    "Dot" => Dot(dot::Dot),
    "Dropout" => Dropout(dropout::Dropout),
    "ELU" => ELU(elu::ELU),
    "EinsumDense" => EinsumDense(einsum_dense::EinsumDense),
    "Embedding" => Embedding(embedding::Embedding),
    "Equalization" => Equalization(equalization::Equalization),
    "FeatureSpace" => FeatureSpace(feature_space::FeatureSpace),
    "Flatten" => Flatten(flatten::Flatten),
    "GRU" => GRU(gru::GRU),
    "GRUCell" => GRUCell(gru_cell::GRUCell),
    "GaussianDropout" => GaussianDropout(gaussian_dropout::GaussianDropout),
    "GaussianNoise" => GaussianNoise(gaussian_noise::GaussianNoise),
    "GlobalAveragePooling1D" => GlobalAveragePooling1D(global_average_pooling1d::GlobalAveragePooling1D),
    "GlobalAveragePooling2D" => GlobalAveragePooling2D(global_average_pooling2d::GlobalAveragePooling2D),
    "GlobalAveragePooling3D" => GlobalAveragePooling3D(global_average_pooling3d::GlobalAveragePooling3D),
    "GlobalMaxPooling1D" => GlobalMaxPooling1D(global_max_pooling1d::GlobalMaxPooling1D),
    "GlobalMaxPooling2D" => GlobalMaxPooling2D(global_max_pooling2d::GlobalMaxPooling2D),
    "GlobalMaxPooling3D" => GlobalMaxPooling3D(global_max_pooling3d::GlobalMaxPooling3D),
    "GroupNormalization" => GroupNormalization(group_normalization::GroupNormalization),
    "GroupedQueryAttention" => GroupedQueryAttention(grouped_query_attention::GroupedQueryAttention),
    "HashedCrossing" => HashedCrossing(hashed_crossing::HashedCrossing),
    "Hashing" => Hashing(hashing::Hashing),
    "Highway" => Highway(highway::Highway),
    "Identity" => Identity(identity::Identity),
    "InputLayer" => InputLayer(input_layer::InputLayer),
    "IntegerLookup" => IntegerLookup(integer_lookup::IntegerLookup),
    "LSTM" => LSTM(lstm::LSTM),
    "LSTMCell" => LSTMCell(lstm_cell::LSTMCell),
    "Lambda" => Lambda(lambda::Lambda),
    "LayerNormalization" => LayerNormalization(layer_normalization::LayerNormalization),
    "LayerScale" => LayerScale(layer_scale::LayerScale),
    "LeakyReLU" => LeakyReLU(leaky_re_lu::LeakyReLU),
    "LocallyConnected1D" => LocallyConnected1D(locally_connected1d::LocallyConnected1D),
    "LocallyConnected2D" => LocallyConnected2D(locally_connected2d::LocallyConnected2D),
    "Masking" => Masking(masking::Masking),
    "MaxNumBoundingBoxes" => MaxNumBoundingBoxes(max_num_bounding_boxes::MaxNumBoundingBoxes),
    "MaxPooling1D" => MaxPooling1D(max_pooling1d::MaxPooling1D),
    "MaxPooling2D" => MaxPooling2D(max_pooling2d::MaxPooling2D),
    "MaxPooling3D" => MaxPooling3D(max_pooling3d::MaxPooling3D),
    "Maximum" => Maximum(maximum::Maximum),
    "MaxoutDense" => MaxoutDense(maxout_dense::MaxoutDense),
    "MelSpectrogram" => MelSpectrogram(mel_spectrogram::MelSpectrogram),
    "Merge" => Merge(merge::Merge),
    "Minimum" => Minimum(minimum::Minimum),
    "MixUp" => MixUp(mix_up::MixUp),
    "MultiHeadAttention" => MultiHeadAttention(multi_head_attention::MultiHeadAttention),
    "Multiply" => Multiply(multiply::Multiply),
    "Normalization" => Normalization(normalization::Normalization),
    "PReLU" => PReLU(prelu::PReLU),
    "ParametricSoftplus" => ParametricSoftplus(parametric_softplus::ParametricSoftplus),
    "Permute" => Permute(permute::Permute),
    "Pipeline" => Pipeline(pipeline::Pipeline),
    "RMSNormalization" => RMSNormalization(rms_normalization::RMSNormalization),
    "RNN" => RNN(rnn::RNN),
    "RandAugment" => RandAugment(rand_augment::RandAugment),
    "RandomBrightness" => RandomBrightness(random_brightness::RandomBrightness),
    "RandomColorDegeneration" => RandomColorDegeneration(random_color_degeneration::RandomColorDegeneration),
    "RandomColorJitter" => RandomColorJitter(random_color_jitter::RandomColorJitter),
    "RandomContrast" => RandomContrast(random_contrast::RandomContrast),
    "RandomCrop" => RandomCrop(random_crop::RandomCrop),
    "RandomElasticTransform" => RandomElasticTransform(random_elastic_transform::RandomElasticTransform),
    "RandomErasing" => RandomErasing(random_erasing::RandomErasing),
    "RandomFlip" => RandomFlip(random_flip::RandomFlip),
    "RandomFourierFeatures" => RandomFourierFeatures(random_fourier_features::RandomFourierFeatures),
    "RandomGaussianBlur" => RandomGaussianBlur(random_gaussian_blur::RandomGaussianBlur),
    "RandomGrayscale" => RandomGrayscale(random_grayscale::RandomGrayscale),
    "RandomHeight" => RandomHeight(random_height::RandomHeight),
    "RandomHue" => RandomHue(random_hue::RandomHue),
    "RandomInvert" => RandomInvert(random_invert::RandomInvert),
    "RandomPerspective" => RandomPerspective(random_perspective::RandomPerspective),
    "RandomPosterization" => RandomPosterization(random_posterization::RandomPosterization),
    "RandomRotation" => RandomRotation(random_rotation::RandomRotation),
    "RandomSaturation" => RandomSaturation(random_saturation::RandomSaturation),
    "RandomSharpness" => RandomSharpness(random_sharpness::RandomSharpness),
    "RandomShear" => RandomShear(random_shear::RandomShear),
    "RandomTranslation" => RandomTranslation(random_translation::RandomTranslation),
    "RandomWidth" => RandomWidth(random_width::RandomWidth),
    "RandomZoom" => RandomZoom(random_zoom::RandomZoom),
    "ReLU" => ReLU(re_lu::ReLU),
    "RepeatVector" => RepeatVector(repeat_vector::RepeatVector),
    "Rescaling" => Rescaling(rescaling::Rescaling),
    "Reshape" => Reshape(reshape::Reshape),
    "Resizing" => Resizing(resizing::Resizing),
    "ReversibleEmbedding" => ReversibleEmbedding(reversible_embedding::ReversibleEmbedding),
    "SReLU" => SReLU(srelu::SReLU),
    "STFTSpectrogram" => STFTSpectrogram(stft_spectrogram::STFTSpectrogram),
    "SeparableConv1D" => SeparableConv1D(separable_conv1d::SeparableConv1D),
    "SeparableConv2D" => SeparableConv2D(separable_conv2d::SeparableConv2D),
    "SimpleRNN" => SimpleRNN(simple_rnn::SimpleRNN),
    "SimpleRNNCell" => SimpleRNNCell(simple_rnn_cell::SimpleRNNCell),
    "Softmax" => Softmax(softmax::Softmax),
    "Solarization" => Solarization(solarization::Solarization),
    "SpatialDropout1D" => SpatialDropout1D(spatial_dropout1d::SpatialDropout1D),
    "SpatialDropout2D" => SpatialDropout2D(spatial_dropout2d::SpatialDropout2D),
    "SpatialDropout3D" => SpatialDropout3D(spatial_dropout3d::SpatialDropout3D),
    "SpectralNormalization" => SpectralNormalization(spectral_normalization::SpectralNormalization),
    "StackedRNNCells" => StackedRNNCells(stacked_rnn_cells::StackedRNNCells),
    "StringLookup" => StringLookup(string_lookup::StringLookup),
    "Subtract" => Subtract(subtract::Subtract),
    "TextVectorization" => TextVectorization(text_vectorization::TextVectorization),
    "ThresholdedReLU" => ThresholdedReLU(thresholded_relu::ThresholdedReLU),
    "TimeDistributed" => TimeDistributed(time_distributed::TimeDistributed),
    "UnitNormalization" => UnitNormalization(unit_normalization::UnitNormalization),
    "UpSampling1D" => UpSampling1D(up_sampling1d::UpSampling1D),
    "UpSampling2D" => UpSampling2D(up_sampling2d::UpSampling2D),
    "UpSampling3D" => UpSampling3D(up_sampling3d::UpSampling3D),
    "Wrapper" => Wrapper(wrapper::Wrapper),
    "ZeroPadding1D" => ZeroPadding1D(zero_padding1d::ZeroPadding1D),
    "ZeroPadding2D" => ZeroPadding2D(zero_padding2d::ZeroPadding2D),
    "ZeroPadding3D" => ZeroPadding3D(zero_padding3d::ZeroPadding3D),
}

/// Where Keras has the parts of a `FeatureSpace` that are not exported.
const FEATURE_SPACE: &str = "keras.src.layers.preprocessing.feature_space";

/// The exported class that a class of Keras's own without a name outside is: parts of a
/// `FeatureSpace`. Source: `keras/src/layers/preprocessing/feature_space.py`, Keras 3.15.
pub(crate) fn public(class: &str) -> &str {
    match class {
        "TFDConcat" => "Concatenate",
        "TFDIdentity" => "Identity",
        other => other,
    }
}

/// A layer: what all have in common, and the typed config of its class.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Name, trainable flag, dtype policy.
    pub base: Base,
    /// Class and config.
    pub kind: Kind,
}

impl Layer {
    /// Reads `{class_name, config}` in Keras 3's form. An unknown class becomes [`Kind::Custom`].
    ///
    /// # Errors
    /// [`Error::Config`] with the layer's name and the key that is wrong.
    pub fn from_config(object: &Value) -> Result<Self> {
        if READING.get() != Reading::Idle {
            return Self::read(object);
        }
        READING.set(Reading::Fast);
        let mut layer = Self::read(object);
        if layer.is_err() {
            READING.set(Reading::Tracked);
            layer = Self::read(object);
        }
        READING.set(Reading::Idle);
        layer
    }

    fn read(object: &Value) -> Result<Self> {
        #[derive(Deserialize)]
        struct Common {
            #[serde(default)]
            name: Option<String>,
            #[serde(default = "yes")]
            trainable: bool,
            #[serde(default)]
            dtype: DTypePolicy,
            #[serde(default)]
            stored: Option<StoredForm>,
            #[serde(default)]
            activity_regularizer: Option<Regularizer>,
        }
        let class = object
            .get("class_name")
            .and_then(Value::as_str)
            .ok_or_else(|| Error::config("layer", "has no class_name"))?;
        let class = EXPORTED.iter().find(|(_, name)| *name == class).map_or(class, |(own, _)| own);
        let config = object.get("config").unwrap_or(&Value::Null);
        let name = config.get("name").and_then(Value::as_str).unwrap_or(class);
        let wrong = |e: ConfigError| {
            Error::config(format!("{name}/{}", e.path), format!("{class}: {}", e.reason))
        };
        let common: Common = typed(config).map_err(wrong)?;
        let base = Base {
            class: class.to_owned(),
            name: common.name.unwrap_or_else(|| class.to_owned()),
            trainable: common.trainable,
            dtype: common.dtype,
            stored: common.stored,
            activity_regularizer: common.activity_regularizer,
        };
        let kind = if Operation::is_one(object, class) {
            let operation = Operation::new(class, config.clone());
            let wrong = |e: serde_json::Error| Error::config(name, format!("{class}: {e}"));
            Kind::Operation(Box::new(operation.map_err(wrong)?))
        } else if matches!(class, "Functional" | "Sequential") {
            Kind::Model(Box::new(Model::from_config(object)?))
        } else if class == "Lambda" && custom_layer(object).is_some() {
            // What its function does the caller knows.
            Kind::Custom(Box::new(custom::Custom::new(object)?))
        } else {
            match Kind::parse(public(class), config).map_err(wrong)? {
                Some(kind) => kind,
                None => Kind::Custom(Box::new(custom::Custom::new(object)?)),
            }
        };
        Ok(Self { base, kind })
    }

    /// The outputs of one call.
    pub fn output(&self, inputs: &Inputs) -> Result<Vec<KerasTensor>> {
        self.kind.config().output(&Call::new(&self.base, inputs))
    }

    /// The variables that a call with these inputs creates.
    pub fn variables(&self, inputs: &Inputs) -> Result<Variables> {
        self.kind.config().variables(&Call::new(&self.base, inputs))
    }
}

impl<'de> Deserialize<'de> for Layer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_config(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// As [`Layer::to_config`].
impl Serialize for Layer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_config().serialize(serializer)
    }
}

/// Classes whose exported name, which stands in files, is not their own.
const EXPORTED: &[(&str, &str)] = &[("GroupedQueryAttention", "GroupQueryAttention")];

/// What the constructors of these classes do not take: of what all layers have, or of what layers of
/// more axes have.
const WITHOUT: &[(&str, &[&str])] = &[
    ("Cropping1D", &["data_format"]),
    ("Discretization", &["trainable"]),
    ("FeatureSpace", &["trainable", "dtype"]),
    ("Functional", &["dtype"]),
    ("InputLayer", &["trainable"]),
    ("IntegerLookup", &["encoding"]),
    ("Pipeline", &["trainable", "dtype"]),
    ("SpatialDropout1D", &["trainable", "data_format"]),
    ("SpatialDropout2D", &["trainable"]),
    ("SpatialDropout3D", &["trainable"]),
    ("StringLookup", &["vocabulary_dtype"]),
    ("UpSampling1D", &["data_format", "interpolation"]),
    ("UpSampling3D", &["interpolation"]),
];

impl Layer {
    /// As Keras 3 writes it: `{module, class_name, config, registered_name}`, what
    /// `keras.saving.serialize_keras_object(layer)` gives. [`from_config`](Self::from_config) reads
    /// it again. A class that Keras 3 has not keeps its name.
    ///
    /// ```
    /// use serde_json::json;
    ///
    /// let relu = json!({"class_name": "ReLU", "config": {"name": "act", "max_value": 6.0}});
    /// let relu = keras_model::Layer::from_config(&relu)?.to_config();
    /// assert_eq!(relu["module"], "keras.layers");
    /// assert_eq!(relu["config"]["negative_slope"], 0.0);
    /// # Ok::<(), keras_model::Error>(())
    /// ```
    pub fn to_config(&self) -> Value {
        let Base { class, name, trainable, dtype, stored: _, activity_regularizer } = &self.base;
        let (module, registered_name): (Option<&str>, Option<&str>) = match &self.kind {
            // What was saved by itself stands behind its inputs.
            Kind::Model(model) if model.class == ModelClass::Layer => {
                return model.layers.last().map(Self::to_config).unwrap_or_default();
            }
            Kind::Model(model) if model.class == ModelClass::Sequential => (Some("keras"), None),
            Kind::Model(_) => (Some("keras.src.models.functional"), Some(class)),
            Kind::Operation(operation) => (operation.module(), Some(class)),
            Kind::Custom(custom) => (custom.module.as_deref(), Some(&custom.registered_name)),
            Kind::FeatureSpace(_) => (Some("keras.utils"), None),
            Kind::LayerScale(_) => (Some("keras.src.applications.convnext"), Some(class)),
            Kind::CustomScaleLayer(_) => {
                (Some("keras.src.applications.inception_resnet_v2"), Some(class))
            }
            _ if public(class) != class => (Some(FEATURE_SPACE), Some(class)),
            _ => (Some("keras.layers"), None),
        };
        let own = self.kind.to_config().unwrap_or_default();
        let mut config = Map::new();
        config.insert("name".into(), name.as_str().into());
        if !matches!(self.kind, Kind::Operation(_) | Kind::Custom(_)) {
            config.insert("trainable".into(), (*trainable).into());
            config.insert("dtype".into(), json!(dtype));
            if let Some(regularizer) = activity_regularizer {
                config.insert("activity_regularizer".into(), json!(regularizer));
            }
        }
        let own = own.as_object();
        let arguments = own.into_iter().flatten();
        config.extend(arguments.map(|(key, value)| (key.clone(), value.clone())));
        config.insert("name".into(), name.as_str().into());
        if matches!(self.kind, Kind::Custom(_)) {
            // What its constructor takes only its author knows.
            let takes_name = own.is_some_and(|own| own.contains_key("name"));
            config.retain(|key, _| takes_name || key != "name");
        }
        if let Some((_, without)) = WITHOUT.iter().find(|(known, _)| known == class) {
            config.retain(|key, _| !without.contains(&key.as_str()));
        }
        let class =
            EXPORTED.iter().find(|(own, _)| own == class).map_or(&**class, |(_, name)| name);
        let object = [
            ("module", json!(module)),
            ("class_name", class.into()),
            ("config", config.into()),
            ("registered_name", json!(registered_name)),
        ];
        let build = match &self.kind {
            Kind::FeatureSpace(space) => Some(("build_config", space.build_config())),
            _ => None,
        };
        let object = object.into_iter().chain(build);
        object.map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>().into()
    }
}

/// Default of the many flags that Keras has on.
pub(crate) const fn yes() -> bool {
    true
}
