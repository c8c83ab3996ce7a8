//! Layers as operations: one file for each class, under the name it has in `keras-model`.
//!
//! Shapes are known while a layer is lowered: a loop over time is a list of nodes, an axis has a
//! length. What a class that has no file of its own shares with others stands in `identity.rs`,
//! `merging.rs`, `pooling.rs`...

mod activation;
mod adaptive_pooling;
mod additive_attention;
mod alpha_dropout;
mod attention;
mod augment;
mod auto_contrast;
mod axes;
mod batch_normalization;
mod bidirectional;
pub(crate) mod build;
mod call;
mod category_encoding;
mod center_crop;
mod concatenate;
mod contrast_limited_adaptive_histogram_equalization;
mod conv;
mod conv_lstm;
mod conv_lstm2d_cell;
mod conv_transpose;
mod cropping;
pub(crate) mod crossentropy;
mod cudnn_rnn;
mod custom;
mod custom_scale_layer;
mod cut_mix;
mod dense;
mod depthwise_conv;
mod discretization;
mod dot;
mod dropout;
mod einsum;
mod einsum_dense;
mod elu;
mod embedding;
mod encoding;
mod equalization;
mod feature_space;
mod flatten;
mod gaussian_dropout;
mod gaussian_noise;
mod global_pooling;
mod group_normalization;
mod grouped_query_attention;
mod gru;
mod gru_cell;
mod hashed_crossing;
mod hashing;
mod highway;
mod identity;
mod image;
mod index_lookup;
mod layer_normalization;
mod layer_scale;
mod leaky_re_lu;
mod locally_connected;
mod lstm;
mod lstm_cell;
mod masking;
mod max_num_bounding_boxes;
mod maxout_dense;
mod mel_spectrogram;
mod merge;
mod merging;
mod mix_up;
pub(crate) mod model;
mod multi_head_attention;
mod normalization;
mod operation;
mod ops;
mod parametric_softplus;
mod permute;
mod pipeline;
mod pooling;
mod prelu;
mod quantized;
mod rand_augment;
mod random_brightness;
mod random_color_degeneration;
mod random_color_jitter;
mod random_contrast;
mod random_crop;
mod random_erasing;
mod random_flip;
mod random_fourier_features;
mod random_gaussian_blur;
mod random_grayscale;
mod random_hue;
mod random_invert;
mod random_perspective;
mod random_posterization;
mod random_rotation;
mod random_saturation;
mod random_sharpness;
mod random_shear;
mod random_translation;
mod random_zoom;
mod re_lu;
mod recurrent;
mod recurrent_dropout;
mod repeat_vector;
mod rescaling;
mod reshape;
mod resize;
mod resizing;
mod reversible_embedding;
mod rms_normalization;
mod rnn;
mod separable_conv;
mod simple_rnn;
mod simple_rnn_cell;
mod softmax;
mod solarization;
mod spatial;
mod spatial_dropout;
mod spectral_normalization;
mod srelu;
mod stacked_rnn_cells;
mod stft_spectrogram;
mod subtract;
mod text_vectorization;
mod thresholded_relu;
mod time_distributed;
mod unit_normalization;
mod up_sampling;
mod wrapper;
mod zero_padding;

use keras_model::layers::Mask;
use keras_model::{Arg, Inputs, Kind, Layer};

use crate::graph::{Builder, Value};
use crate::ops::PoolKind;
use crate::train::regularizers;
use crate::{Error, Result};

pub(crate) use activation::logsumexp;
pub(crate) use build::axis_of;
pub(crate) use call::Call;
use merging::Merging;
pub(crate) use operation::lower as operation;
pub(crate) use ops::index::in_top_k;
pub(crate) use recurrent::options;
pub(crate) use unit_normalization::unit;

/// Whether that holds for a layer or one that it holds, at any depth.
pub(crate) fn any_layer(layer: &Layer, holds: &impl Fn(&Layer) -> bool) -> bool {
    holds(layer) || layer.kind.config().sublayers().iter().any(|(_, l)| any_layer(l, holds))
}

/// The outputs of one call of a layer.
pub(crate) fn layer(
    layer: &Layer,
    b: &mut Builder<'_>,
    inputs: &Inputs<Value>,
) -> Result<Vec<Value>> {
    called(layer, b, inputs, true)
}

/// The outputs of `Layer.call`, which unlike `Layer.__call__` knows no activity regularizer.
fn call_only(layer: &Layer, b: &mut Builder<'_>, inputs: &Inputs<Value>) -> Result<Vec<Value>> {
    called(layer, b, inputs, false)
}

fn called(
    layer: &Layer,
    b: &mut Builder<'_>,
    inputs: &Inputs<Value>,
    regularizes: bool,
) -> Result<Vec<Value>> {
    b.enter(&layer.base);
    // Before Keras 3 what the file says of a call holds, for the layer and those in it; in Keras 3
    // what the caller says holds for all.
    if !b.is_keras3()
        && let Some(training) = inputs.named("training", usize::MAX).and_then(Arg::value)
        && let Some(training) = training.as_bool()
    {
        b.set_training(training);
    }
    let outputs = inside(layer, b, inputs).and_then(|outputs| {
        if regularizes {
            regularizers::add_activity(b, layer, &outputs)?;
        }
        Ok(outputs)
    });
    let outputs = outputs.map_err(|error| match error {
        Error::Op { op, reason } => b.error(format!("{op}: {reason}")),
        Error::Value(reason) => b.error(reason),
        other => other,
    });
    if let Ok([first, ..]) = outputs.as_deref() {
        b.note_output(*first);
    }
    b.leave();
    outputs
}

fn inside(layer: &Layer, b: &mut Builder<'_>, inputs: &Inputs<Value>) -> Result<Vec<Value>> {
    // Keras casts floats to what a layer computes in; operations and models take what comes.
    let casts = !matches!(layer.kind, Kind::InputLayer(_) | Kind::Model(_) | Kind::Operation(_));
    if casts && inputs.tensors().iter().any(|v| b.imaginary(**v).is_some()) {
        return Err(b.unsupported("a complex number as the input of a layer"));
    }
    let compute = b.compute();
    let inputs = inputs.map(&mut |value: &Value| {
        if !casts || !compute.is_float() || !b.dtype(*value).is_float() {
            return Ok(*value);
        }
        let cast = b.cast(*value, compute)?;
        b.set_mask(cast, b.mask(*value));
        Ok::<_, Error>(cast)
    })?;
    let call = Call { base: &layer.base, inputs };
    // As it is before the call: attention takes it away.
    let passed = call.tensors().first().and_then(|v| b.mask(*v));
    let mut outputs = kind(&layer.kind, b, &call)?;
    let Some(first) = outputs.first_mut() else { return Ok(outputs) };
    let mask = match layer.kind.config().mask() {
        _ if matches!(layer.kind, Kind::Model(_)) => return Ok(outputs),
        Mask::Creates => return Ok(outputs),
        Mask::Drops => None,
        Mask::Passes => passed,
        Mask::Merges => merging::mask(&layer.kind, b, &call)?,
    };
    if mask != b.mask(*first) {
        // The input keeps its own mask.
        let logits = b.logits(*first);
        *first = b.identity(*first)?;
        b.set_mask(*first, mask);
        b.set_logits(*first, logits);
    }
    Ok(outputs)
}

fn kind(kind: &Kind, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    match kind {
        Kind::Activation(l) => activation::lower(l, b, call),
        Kind::AdaptiveAveragePooling1D(l) => adaptive_pooling::lower(l, b, call, PoolKind::Average),
        Kind::AdaptiveAveragePooling2D(l) => adaptive_pooling::lower(l, b, call, PoolKind::Average),
        Kind::AdaptiveAveragePooling3D(l) => adaptive_pooling::lower(l, b, call, PoolKind::Average),
        Kind::AdaptiveMaxPooling1D(l) => adaptive_pooling::lower(l, b, call, PoolKind::Max),
        Kind::AdaptiveMaxPooling2D(l) => adaptive_pooling::lower(l, b, call, PoolKind::Max),
        Kind::AdaptiveMaxPooling3D(l) => adaptive_pooling::lower(l, b, call, PoolKind::Max),
        Kind::AdditiveAttention(l) => additive_attention::lower(l, b, call),
        Kind::Attention(l) => attention::lower(l, b, call),
        Kind::AveragePooling1D(l) => pooling::lower(l, b, call, PoolKind::Average),
        Kind::AveragePooling2D(l) => pooling::lower(l, b, call, PoolKind::Average),
        Kind::AveragePooling3D(l) => pooling::lower(l, b, call, PoolKind::Average),
        Kind::BatchNormalization(l) => batch_normalization::lower(l, b, call),
        Kind::Bidirectional(l) => bidirectional::lower(l, b, call),
        Kind::Concatenate(l) => concatenate::lower(l, b, call),
        Kind::Conv1D(l) => conv::lower(l, b, call),
        Kind::Conv1DTranspose(l) => conv_transpose::lower(l, b, call),
        Kind::Conv2D(l) => conv::lower(l, b, call),
        Kind::Conv2DTranspose(l) => conv_transpose::lower(l, b, call),
        Kind::Conv3D(l) => conv::lower(l, b, call),
        Kind::Conv3DTranspose(l) => conv_transpose::lower(l, b, call),
        Kind::ConvLSTM1D(l) => conv_lstm::lower(l, b, call),
        Kind::ConvLSTM2D(l) => conv_lstm::lower(l, b, call),
        Kind::ConvLSTM2DCell(l) => conv_lstm2d_cell::lower(l, b, call),
        Kind::ConvLSTM3D(l) => conv_lstm::lower(l, b, call),
        Kind::Cropping1D(l) => cropping::lower(l, b, call),
        Kind::Cropping2D(l) => cropping::lower(l, b, call),
        Kind::Cropping3D(l) => cropping::lower(l, b, call),
        Kind::CuDNNGRU(l) => cudnn_rnn::lower(l, b, call),
        Kind::CuDNNLSTM(l) => cudnn_rnn::lower(l, b, call),
        Kind::AlphaDropout(l) => alpha_dropout::lower(l, b, call),
        Kind::Dropout(l) => dropout::lower(l, b, call),
        Kind::GaussianDropout(l) => gaussian_dropout::lower(l, b, call),
        Kind::GaussianNoise(l) => gaussian_noise::lower(l, b, call),
        Kind::SpatialDropout1D(l) => spatial_dropout::lower(l, b, call),
        Kind::SpatialDropout2D(l) => spatial_dropout::lower(l, b, call),
        Kind::SpatialDropout3D(l) => spatial_dropout::lower(l, b, call),
        Kind::CustomScaleLayer(l) => custom_scale_layer::lower(l, b, call),
        Kind::Dense(l) => dense::lower(l, b, call),
        Kind::DepthwiseConv1D(l) => depthwise_conv::lower(l, b, call),
        Kind::DepthwiseConv2D(l) => depthwise_conv::lower(l, b, call),
        Kind::Dot(l) => dot::lower(l, b, call),
        Kind::ELU(l) => elu::lower(l, b, call),
        Kind::EinsumDense(l) => einsum_dense::lower(l, b, call),
        Kind::Embedding(l) => embedding::lower(l, b, call),
        Kind::Flatten(l) => flatten::lower(l, b, call),
        Kind::GRU(l) => gru::lower(l, b, call),
        Kind::GRUCell(l) => gru_cell::lower(l, b, call),
        Kind::GlobalAveragePooling1D(l) => global_pooling::lower(l, b, call, PoolKind::Average),
        Kind::GlobalAveragePooling2D(l) => global_pooling::lower(l, b, call, PoolKind::Average),
        Kind::GlobalAveragePooling3D(l) => global_pooling::lower(l, b, call, PoolKind::Average),
        Kind::GlobalMaxPooling1D(l) => global_pooling::lower(l, b, call, PoolKind::Max),
        Kind::GlobalMaxPooling2D(l) => global_pooling::lower(l, b, call, PoolKind::Max),
        Kind::GlobalMaxPooling3D(l) => global_pooling::lower(l, b, call, PoolKind::Max),
        Kind::GroupNormalization(l) => group_normalization::lower(l, b, call),
        Kind::GroupedQueryAttention(l) => grouped_query_attention::lower(l, b, call),
        Kind::Highway(l) => highway::lower(l, b, call),
        Kind::LSTM(l) => lstm::lower(l, b, call),
        Kind::LSTMCell(l) => lstm_cell::lower(l, b, call),
        Kind::LayerNormalization(l) => layer_normalization::lower(l, b, call),
        Kind::LayerScale(_) => layer_scale::lower(b, call),
        Kind::LeakyReLU(l) => leaky_re_lu::lower(l, b, call),
        Kind::LocallyConnected1D(l) => locally_connected::lower(l, b, call),
        Kind::LocallyConnected2D(l) => locally_connected::lower(l, b, call),
        Kind::Masking(l) => masking::lower(l, b, call),
        Kind::MaxPooling1D(l) => pooling::lower(l, b, call, PoolKind::Max),
        Kind::MaxPooling2D(l) => pooling::lower(l, b, call, PoolKind::Max),
        Kind::MaxPooling3D(l) => pooling::lower(l, b, call, PoolKind::Max),
        Kind::MaxoutDense(l) => maxout_dense::lower(l, b, call),
        Kind::Merge(l) => merge::lower(l, b, call),
        Kind::MultiHeadAttention(l) => multi_head_attention::lower(l, b, call),
        Kind::Normalization(l) => normalization::lower(l, b, call),
        Kind::PReLU(l) => prelu::lower(l, b, call),
        Kind::ParametricSoftplus(l) => parametric_softplus::lower(l, b, call),
        Kind::Permute(l) => permute::lower(l, b, call),
        Kind::RMSNormalization(l) => rms_normalization::lower(l, b, call),
        Kind::RNN(l) | Kind::ConvRNN2D(l) => rnn::lower(l, b, call),
        Kind::RandomFourierFeatures(l) => random_fourier_features::lower(l, b, call),
        Kind::ReLU(l) => re_lu::lower(l, b, call),
        Kind::RepeatVector(l) => repeat_vector::lower(l, b, call),
        Kind::Rescaling(l) => rescaling::lower(l, b, call),
        Kind::Reshape(l) => reshape::lower(l, b, call),
        Kind::ReversibleEmbedding(l) => reversible_embedding::lower(l, b, call),
        Kind::SReLU(l) => srelu::lower(l, b, call),
        Kind::SeparableConv1D(l) => separable_conv::lower(l, b, call),
        Kind::SeparableConv2D(l) => separable_conv::lower(l, b, call),
        Kind::SimpleRNN(l) => simple_rnn::lower(l, b, call),
        Kind::SimpleRNNCell(l) => simple_rnn_cell::lower(l, b, call),
        Kind::Softmax(l) => softmax::lower(l, b, call),
        Kind::SpectralNormalization(l) => spectral_normalization::lower(l, b, call),
        Kind::StackedRNNCells(l) => stacked_rnn_cells::lower(l, b, call),
        Kind::Subtract(l) => subtract::lower(l, b, call),
        Kind::ThresholdedReLU(l) => thresholded_relu::lower(l, b, call),
        Kind::TimeDistributed(l) => time_distributed::lower(l, b, call),
        Kind::UnitNormalization(l) => unit_normalization::lower(l, b, call),
        Kind::UpSampling1D(l) => up_sampling::lower(l, b, call),
        Kind::UpSampling2D(l) => up_sampling::lower(l, b, call),
        Kind::UpSampling3D(l) => up_sampling::lower(l, b, call),
        Kind::Wrapper(l) => wrapper::lower(l, b, call),
        Kind::ZeroPadding1D(l) => zero_padding::lower(l, b, call),
        Kind::ZeroPadding2D(l) => zero_padding::lower(l, b, call),
        Kind::ZeroPadding3D(l) => zero_padding::lower(l, b, call),
        Kind::CategoryEncoding(l) => category_encoding::lower(l, b, call),
        Kind::Discretization(l) => discretization::lower(l, b, call),
        Kind::HashedCrossing(l) => hashed_crossing::lower(l, b, call),
        Kind::Hashing(l) => hashing::lower(l, b, call),
        Kind::IntegerLookup(l) | Kind::StringLookup(l) => index_lookup::lower(l, b, call),
        Kind::TextVectorization(l) => text_vectorization::lower(l, b, call),
        Kind::Resizing(l) => resizing::lower(l, b, call),
        Kind::CenterCrop(l) => center_crop::lower(l, b, call),
        Kind::Pipeline(l) => pipeline::lower(l, b, call),
        Kind::STFTSpectrogram(l) => stft_spectrogram::lower(l, b, call),
        Kind::MelSpectrogram(l) => mel_spectrogram::lower(l, b, call),
        Kind::AutoContrast(l) => auto_contrast::lower(l, b, call),
        Kind::MaxNumBoundingBoxes(l) => max_num_bounding_boxes::lower(l, b, call),
        Kind::FeatureSpace(l) => feature_space::lower(l, b, call),
        Kind::ContrastLimitedAdaptiveHistogramEqualization(l) => {
            contrast_limited_adaptive_histogram_equalization::lower(l, b, call)
        }
        Kind::Add(_) => merging::lower(b, call, Merging::Add),
        Kind::Average(_) => merging::lower(b, call, Merging::Average),
        Kind::Maximum(_) => merging::lower(b, call, Merging::Maximum),
        Kind::Minimum(_) => merging::lower(b, call, Merging::Minimum),
        Kind::Multiply(_) => merging::lower(b, call, Merging::Multiply),
        Kind::Model(l) => model::lower(l, b, &call.inputs),
        Kind::Operation(l) => operation::lower(l, b, call),
        Kind::Custom(l) => custom::lower(l, b, call),
        // What the caller maps is `Kind::Custom`.
        Kind::Lambda(_) => {
            Err(b.unsupported("Python code (map its name with keras_runtime::Loader::function)"))
        }
        Kind::InputLayer(_) | Kind::Identity(_) | Kind::ActivityRegularization(_) => {
            identity::lower(b, call)
        }
        Kind::CutMix(l) => augment::lower(&**l, b, call),
        Kind::MixUp(l) => augment::lower(&**l, b, call),
        Kind::Equalization(l) => augment::lower(&**l, b, call),
        Kind::RandAugment(l) => augment::lower(&**l, b, call),
        Kind::RandomBrightness(l) => augment::lower(&**l, b, call),
        Kind::RandomColorDegeneration(l) => augment::lower(&**l, b, call),
        Kind::RandomColorJitter(l) => augment::lower(&**l, b, call),
        Kind::RandomContrast(l) => augment::lower(&**l, b, call),
        Kind::RandomCrop(l) => augment::lower(&**l, b, call),
        Kind::RandomErasing(l) => augment::lower(&**l, b, call),
        Kind::RandomFlip(l) => augment::lower(&**l, b, call),
        Kind::RandomGaussianBlur(l) => augment::lower(&**l, b, call),
        Kind::RandomGrayscale(l) => augment::lower(&**l, b, call),
        Kind::RandomHue(l) => augment::lower(&**l, b, call),
        Kind::RandomInvert(l) => augment::lower(&**l, b, call),
        Kind::RandomPerspective(l) => augment::lower(&**l, b, call),
        Kind::RandomPosterization(l) => augment::lower(&**l, b, call),
        Kind::RandomRotation(l) => augment::lower(&**l, b, call),
        Kind::RandomSaturation(l) => augment::lower(&**l, b, call),
        Kind::RandomSharpness(l) => augment::lower(&**l, b, call),
        Kind::RandomShear(l) => augment::lower(&**l, b, call),
        Kind::RandomTranslation(l) => augment::lower(&**l, b, call),
        Kind::RandomZoom(l) => augment::lower(&**l, b, call),
        Kind::Solarization(l) => augment::lower(&**l, b, call),
        Kind::AugMix(_)
        | Kind::RandomElasticTransform(_)
        | Kind::RandomHeight(_)
        | Kind::RandomWidth(_) => identity::not_in_training(b, call),
    }
}
