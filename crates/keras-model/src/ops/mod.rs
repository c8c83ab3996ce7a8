//! Operations of `keras.ops` as nodes of a functional graph. Source: `keras/src/ops`, Keras 3.15.

#[allow(clippy::unnecessary_wraps, reason = "all rules have one signature")]
mod infer;
mod rearrangement;

use infer::{OpCall, Rule};
pub use rearrangement::Rearrangement;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::activations::Activation;
use crate::layers::{LayerConfig, Mask};
use crate::{Arg, Call, DType, Inputs, KerasTensor, Result};

/// For each module its operations, each with the arguments of its constructor: what else it takes is
/// given with each call.
macro_rules! operations {
    ($($module:literal {
        $($name:ident($($argument:ident)*) => $($rule:ident)::+),* $(,)?
    })*) => {
        /// Every operation that this crate knows by name.
        pub const OPERATIONS: &[&str] = &[$($(stringify!($name)),*),*];

        fn rule(name: &str) -> Rule {
            match name { $($(stringify!($name) => infer::$($rule)::+,)*)* _ => infer::declared }
        }

        /// Where Keras has it, and the arguments of its constructor.
        fn constructor(name: &str) -> Option<(&'static str, &'static [&'static str])> {
            Some(match name {
                $($(stringify!($name) => ($module, &[$(stringify!($argument)),*]),)*)*
                _ => return None,
            })
        }
    };
}

operations! {
    // keras/src/ops/core.py
    "keras.src.ops.core" {
        Map() => functional::map,
        Scan(length reverse unroll) => functional::scan,
        AssociativeScan(reverse axis) => functional::associative_scan,
        Scatter(shape) => index::scatter,
        ScatterUpdate(reduction) => elementwise::same,
        Slice(shape) => index::slice,
        SliceUpdate() => elementwise::same,
        Switch() => functional::switch,
        WhileLoop(cond body maximum_iterations) => declared,
        StopGradient() => elementwise::same,
        ForiLoop(lower upper body_fun) => declared,
        Unstack(num axis) => reshape::unstack,
        Cast(dtype) => elementwise::cast,
        SaturateCast(dtype) => elementwise::cast,
        ConvertToTensor(dtype sparse ragged) => elementwise::same,
        Cond() => functional::cond,
        VectorizedMap(function) => functional::map,
    }
    // keras/src/ops/einops.py
    "keras.src.ops.einops" {
        Rearrange() => reshape::rearrange,
    }
    // keras/src/ops/image.py
    "keras.src.ops.image" {
        RGBToGrayscale(data_format) => image::grayscale,
        RGBToHSV(data_format) => elementwise::same,
        HSVToRGB(data_format) => elementwise::same,
        Resize(size interpolation antialias crop_to_aspect_ratio pad_to_aspect_ratio fill_mode fill_value data_format) => image::resize,
        AffineTransform(interpolation fill_mode fill_value data_format) => elementwise::same,
        ExtractPatches(size strides dilation_rate padding data_format) => image::extract_patches,
        MapCoordinates(order fill_mode fill_value) => image::map_coordinates,
        PadImages(top_padding left_padding bottom_padding right_padding target_height target_width data_format) => image::pad_or_crop,
        CropImages(top_cropping left_cropping bottom_cropping right_cropping target_height target_width data_format) => image::pad_or_crop,
        PerspectiveTransform(interpolation fill_value data_format) => elementwise::same,
        GaussianBlur(kernel_size sigma data_format) => elementwise::same,
        ElasticTransform(alpha sigma interpolation fill_mode fill_value seed data_format) => elementwise::same,
        ScaleAndTranslate(spatial_dims method antialias) => declared,
        SobelEdges(data_format) => image::sobel_edges,
        SSIM(max_val filter_size filter_sigma k1 k2 data_format) => image::ssim,
    }
    // keras/src/ops/linalg.py
    "keras.src.ops.linalg" {
        Cholesky(upper) => elementwise::same,
        CholeskyInverse(upper) => elementwise::same,
        Det() => linalg::per_matrix,
        Eig() => linalg::eigen,
        Eigh() => linalg::eigen,
        Inv() => elementwise::same,
        LuFactor() => linalg::lu_factor,
        Norm(ord axis keepdims) => linalg::norm,
        Qr(mode) => linalg::qr,
        Solve() => linalg::solve,
        SolveTriangular(lower) => linalg::solve,
        SVD(full_matrices compute_uv) => linalg::svd,
        Lstsq(rcond) => linalg::lstsq,
        MatrixRank(tol) => linalg::per_matrix,
        Pinv(rcond) => linalg::pinv,
        JVP(has_aux) => functional::jvp,
    }
    // keras/src/ops/math.py
    "keras.src.ops.math" {
        SegmentReduction(num_segments sorted) => index::segment,
        SegmentSum(num_segments sorted) => index::segment,
        SegmentMax(num_segments sorted) => index::segment,
        SegmentMin(num_segments sorted) => index::segment,
        SegmentProd(num_segments sorted) => index::segment,
        TopK(k sorted) => index::top_k,
        InTopK(k) => index::in_top_k,
        Logsumexp(axis keepdims) => reduce::reduce_float,
        CDist() => linalg::cdist,
        ExtractSequences(sequence_length sequence_stride) => signal::sequences,
        FFT() => signal::pair,
        FFT2() => signal::pair,
        IFFT2() => signal::pair,
        RFFT(fft_length) => signal::rfft,
        IRFFT(fft_length) => signal::irfft,
        STFT(sequence_length sequence_stride fft_length window center) => signal::stft,
        ISTFT(sequence_length sequence_stride fft_length length window center) => signal::istft,
        Rsqrt() => elementwise::same_float,
        Erf() => elementwise::same_float,
        Erfc() => elementwise::same_float,
        Erfinv() => elementwise::same_float,
        Logdet() => linalg::per_matrix,
        ViewAsComplex() => signal::as_complex,
        ViewAsReal() => signal::as_real,
    }
    // keras/src/ops/nn.py
    "keras.src.ops.nn" {
        Relu() => elementwise::same,
        Relu6() => elementwise::same,
        Sigmoid() => elementwise::same,
        SparseSigmoid() => elementwise::same,
        Softplus() => elementwise::same,
        Softsign() => elementwise::same,
        SoftShrink(threshold) => elementwise::same,
        SparsePlus() => elementwise::same,
        Silu() => elementwise::same,
        Squareplus(b) => elementwise::same,
        LogSigmoid() => elementwise::same,
        LeakyRelu(negative_slope) => elementwise::same,
        HardSigmoid() => elementwise::same,
        HardSilu() => elementwise::same,
        Elu(alpha) => elementwise::same,
        Selu() => elementwise::same,
        Gelu(approximate) => elementwise::same,
        Celu(alpha) => elementwise::same,
        Glu(axis) => nn::glu,
        TanhShrink() => elementwise::same,
        HardTanh() => elementwise::same,
        HardShrink(threshold) => elementwise::same,
        Threshold(threshold default_value) => elementwise::same,
        Softmax(axis) => elementwise::same,
        LogSoftmax(axis) => elementwise::same,
        Sparsemax(axis) => elementwise::same,
        MaxPool(pool_size strides padding data_format) => nn::pool,
        AdaptiveMaxPool(output_size data_format) => nn::adaptive_pool,
        AveragePool(pool_size strides padding data_format) => nn::pool,
        AdaptiveAveragePool(output_size data_format) => nn::adaptive_pool,
        Conv(strides padding data_format dilation_rate) => nn::conv,
        DepthwiseConv(strides padding data_format dilation_rate) => nn::conv,
        SeparableConv(strides padding data_format dilation_rate) => nn::conv,
        ConvTranspose(strides padding output_padding data_format dilation_rate) => nn::conv_transpose,
        OneHot(num_classes axis dtype sparse) => index::one_hot,
        BinaryCrossentropy(from_logits) => elementwise::same,
        CategoricalCrossentropy(from_logits axis) => nn::crossentropy,
        SparseCategoricalCrossentropy(from_logits axis) => nn::crossentropy,
        MultiHot(num_classes axis dtype sparse) => index::multi_hot,
        Moments(axes keepdims synchronized) => reduce::moments,
        BatchNorm(axis epsilon) => elementwise::same,
        CTCLoss(mask_index) => nn::per_sample,
        CTCDecode(strategy beam_width top_paths merge_repeated mask_index) => declared,
        Normalize(axis order epsilon) => elementwise::same,
        PSNR(max_val) => linalg::scalar,
        DotProductAttention(is_causal flash_attention attn_logits_soft_cap) => nn::attention,
        RMSNorm(axis epsilon) => elementwise::same,
        LayerNorm(axis epsilon rms_scaling) => elementwise::same,
        Polar() => elementwise::same,
        Unfold(kernel_size dilation padding stride) => nn::unfold,
        Fold(output_size kernel_size dilation padding stride) => nn::fold,
        DepthToSpace(block_size data_format) => image::depth_to_space,
        SpaceToDepth(block_size data_format) => image::space_to_depth,
    }
    // keras/src/ops/numpy.py
    "keras.src.ops.numpy" {
        Rot90(k axes) => reshape::rot90,
        Absolute() => elementwise::same,
        Abs() => elementwise::same,
        Fabs() => elementwise::same,
        Add() => elementwise::broadcast,
        All(axis keepdims) => reduce::reduce_bool,
        AllClose(rtol atol equal_nan) => linalg::scalar_bool,
        Angle() => elementwise::same_real,
        Any(axis keepdims) => reduce::reduce_bool,
        Amax(axis keepdims) => reduce::reduce,
        Amin(axis keepdims) => reduce::reduce,
        Append(axis) => reshape::append,
        Arange(dtype) => declared,
        Arccos() => elementwise::same_float,
        Arccosh() => elementwise::same_float,
        Arcsin() => elementwise::same_float,
        Arcsinh() => elementwise::same_float,
        Arctan() => elementwise::same_float,
        Arctan2() => elementwise::broadcast_float,
        Arctanh() => elementwise::same_float,
        Argmax(axis keepdims) => reduce::reduce_int,
        Argmin(axis keepdims) => reduce::reduce_int,
        Argsort(axis) => elementwise::same_int,
        Array(dtype) => elementwise::same,
        View(dtype) => declared,
        Average(axis) => reduce::reduce_float,
        Heaviside() => elementwise::broadcast_float,
        Bincount(weights minlength sparse) => index::bincount,
        BitwiseAnd() => elementwise::broadcast,
        BitwiseInvert() => elementwise::same,
        BitwiseNot() => elementwise::same,
        BitwiseOr() => elementwise::broadcast,
        BitwiseXor() => elementwise::broadcast,
        BitwiseLeftShift() => elementwise::broadcast,
        LeftShift() => elementwise::broadcast,
        BitwiseRightShift() => elementwise::broadcast,
        RightShift() => elementwise::broadcast,
        BroadcastTo(shape) => reshape::broadcast_to,
        Cbrt() => elementwise::same_float,
        Ceil() => elementwise::same_float,
        Clip(x_min x_max) => elementwise::same,
        Concatenate(axis) => reshape::concatenate,
        Conjugate() => elementwise::same,
        Conj() => elementwise::same,
        Copy() => elementwise::same,
        Cos() => elementwise::same_float,
        Cosh() => elementwise::same_float,
        CountNonzero(axis) => reduce::reduce_int,
        Cross(axisa axisb axisc axis) => linalg::cross,
        Cumprod(axis dtype) => elementwise::same,
        Cumsum(axis dtype) => elementwise::same,
        Deg2rad() => elementwise::same_float,
        Rad2deg() => elementwise::same_float,
        Diag(k) => linalg::diag,
        Diagflat(k) => linalg::diagflat,
        Diagonal(offset axis1 axis2) => linalg::diagonal,
        Diff(n axis) => reshape::diff,
        Digitize() => elementwise::same_int,
        Dot() => linalg::dot,
        Dstack() => reshape::dstack,
        Einsum(subscripts) => linalg::einsum,
        EmptyLike(dtype) => elementwise::same,
        Equal() => elementwise::broadcast_bool,
        Exp() => elementwise::same_float,
        Exp2() => elementwise::same_float,
        ExpandDims(axis) => reshape::expand_dims,
        Expm1() => elementwise::same_float,
        Flip(axis) => elementwise::same,
        Fliplr() => elementwise::same,
        Flipud() => elementwise::same,
        Floor() => elementwise::same_float,
        Full(shape dtype) => reshape::full,
        FullLike(dtype) => elementwise::same,
        Gcd() => elementwise::broadcast,
        GetItem() => index::get_item,
        Geomspace(num endpoint dtype axis) => reshape::linspace,
        Greater() => elementwise::broadcast_bool,
        GreaterEqual() => elementwise::broadcast_bool,
        Hstack() => reshape::hstack,
        Hsplit(indices_or_sections) => reshape::hsplit,
        Hypot() => elementwise::broadcast_float,
        Imag() => elementwise::same_real,
        I0() => elementwise::same_float,
        Isclose(equal_nan) => elementwise::broadcast_bool,
        Isfinite() => elementwise::same_bool,
        IsIn(assume_unique invert) => elementwise::same_bool,
        Isinf() => elementwise::same_bool,
        Isnan() => elementwise::same_bool,
        Isneginf() => elementwise::same_bool,
        Isposinf() => elementwise::same_bool,
        Isreal() => elementwise::same_bool,
        Kron() => linalg::kron,
        Lcm() => elementwise::broadcast,
        Ldexp() => elementwise::broadcast,
        Less() => elementwise::broadcast_bool,
        LessEqual() => elementwise::broadcast_bool,
        Linspace(num endpoint retstep dtype axis) => reshape::linspace,
        Log() => elementwise::same_float,
        Log10() => elementwise::same_float,
        Log1p() => elementwise::same_float,
        Log2() => elementwise::same_float,
        Logaddexp() => elementwise::broadcast_float,
        Logaddexp2() => elementwise::broadcast_float,
        LogicalAnd() => elementwise::broadcast_bool,
        LogicalNot() => elementwise::same_bool,
        LogicalOr() => elementwise::broadcast_bool,
        Logspace(num endpoint base dtype axis) => reshape::linspace,
        Matmul() => linalg::matmul,
        Max(axis keepdims initial) => reduce::reduce,
        Maximum() => elementwise::broadcast,
        Fmax() => elementwise::broadcast,
        Median(axis keepdims) => reduce::reduce_float,
        Meshgrid(indexing) => reshape::meshgrid,
        Min(axis keepdims initial) => reduce::reduce,
        Minimum() => elementwise::broadcast,
        Fmin() => elementwise::broadcast,
        Mod() => elementwise::broadcast,
        Fmod() => elementwise::broadcast,
        Moveaxis(source destination) => reshape::move_axis,
        Nanargmax(axis keepdims) => reduce::reduce_int,
        Nanargmin(axis keepdims) => reduce::reduce_int,
        Nancumsum(axis dtype) => elementwise::same,
        Nancumprod(axis dtype) => elementwise::same,
        Nanmax(axis keepdims) => reduce::reduce,
        Nanmean(axis keepdims) => reduce::reduce_float,
        Nanmedian(axis keepdims) => reduce::reduce_float,
        Nanmin(axis keepdims) => reduce::reduce,
        Nanpercentile(axis method keepdims) => reduce::quantile,
        Nanprod(axis keepdims) => reduce::reduce,
        Nanquantile(axis method keepdims) => reduce::quantile,
        Nanstd(axis keepdims) => reduce::reduce_float,
        Nansum(axis keepdims) => reduce::reduce,
        Nanvar(axis keepdims) => reduce::reduce_float,
        NanToNum(nan posinf neginf) => elementwise::same,
        Ndim() => index::scalar_int,
        Nonzero() => declared,
        NotEqual() => elementwise::broadcast_bool,
        OnesLike(dtype) => elementwise::same,
        ZerosLike(dtype) => elementwise::same,
        Outer() => linalg::outer,
        Pad(pad_width mode) => reshape::pad,
        Percentile(axis method keepdims) => reduce::quantile,
        Prod(axis keepdims dtype) => reduce::reduce,
        Ptp(axis keepdims) => reduce::reduce,
        Quantile(axis method keepdims) => reduce::quantile,
        Ravel() => reshape::ravel,
        UnravelIndex(shape) => declared,
        Real() => elementwise::same_real,
        Reciprocal() => elementwise::same_float,
        Repeat(repeats axis) => reshape::repeat,
        Reshape(newshape) => reshape::reshape,
        Roll(shift axis) => elementwise::same,
        Round(decimals) => elementwise::same,
        SearchSorted(side) => index::search_sorted,
        Sign() => elementwise::same,
        Signbit() => elementwise::same_bool,
        Sin() => elementwise::same_float,
        Sinc() => elementwise::same_float,
        Sinh() => elementwise::same_float,
        Size() => index::scalar_int,
        Sort(axis) => elementwise::same,
        Split(indices_or_sections axis) => reshape::split,
        Stack(axis) => reshape::stack,
        Std(axis keepdims) => reduce::reduce_float,
        Swapaxes(axis1 axis2) => reshape::swap_axes,
        Take(axis) => index::take,
        TakeAlongAxis(axis) => index::take_along_axis,
        Tan() => elementwise::same_float,
        Tanh() => elementwise::same_float,
        Tensordot(axes) => linalg::tensordot,
        Tile(repeats) => reshape::tile,
        Trace(offset axis1 axis2) => linalg::trace,
        Tril(k) => elementwise::same,
        Triu(k) => elementwise::same,
        Trunc() => elementwise::same,
        Vdot() => linalg::scalar,
        Inner() => linalg::inner,
        Vstack() => reshape::vstack,
        Vsplit(indices_or_sections) => reshape::vsplit,
        Where() => elementwise::choose,
        Subtract() => elementwise::broadcast,
        Multiply() => elementwise::broadcast,
        Divide() => elementwise::broadcast_float,
        DivideNoNan() => elementwise::broadcast_float,
        TrueDivide() => elementwise::broadcast_float,
        Power() => elementwise::broadcast,
        Negative() => elementwise::same,
        Nextafter() => elementwise::broadcast_float,
        Square() => elementwise::same,
        Sqrt() => elementwise::same_float,
        Squeeze(axis) => reshape::squeeze,
        Transpose(axes) => reshape::transpose,
        Trapezoid(x dx axis) => reduce::reduce_last,
        Mean(axis keepdims) => reduce::reduce_float,
        Vander(N increasing) => linalg::vander,
        Var(axis keepdims) => reduce::reduce_float,
        Sum(axis keepdims) => reduce::reduce,
        FloorDivide() => elementwise::broadcast,
        LogicalXor() => elementwise::broadcast_bool,
        Corrcoef() => linalg::corrcoef,
        Correlate(mode) => declared,
        Select() => elementwise::choose,
        Slogdet() => linalg::slogdet,
        Argpartition(kth axis) => elementwise::same_int,
        Histogram(bins range) => declared,
        ArraySplit(indices_or_sections axis) => reshape::array_split,
        Unique(sorted return_index return_inverse return_counts axis size fill_value) => declared,
        Dsplit(indices_or_sections) => reshape::dsplit,
    }
    // Functions of TensorFlow that `keras.ops` has under no name of its own.
    "" {
        AddN() => elementwise::broadcast,
        AdjustBrightness() => elementwise::same,
        AdjustContrast() => elementwise::same,
        AdjustGamma() => elementwise::same,
        AdjustHue() => elementwise::same,
        AdjustSaturation() => elementwise::same,
        BandPart() => elementwise::same,
        BatchToSpace() => declared,
        BooleanMask() => declared,
        CentralCrop() => declared,
        ClipByNorm() => elementwise::same,
        ComplexOf() => declared,
        ConvTransposeTo() => declared,
        ConvertImageDtype() => elementwise::cast,
        Crelu() => declared,
        CropAndResize() => declared,
        Dct() => elementwise::same,
        Digamma() => elementwise::same_float,
        Eigvalsh() => declared,
        Erfcinv() => elementwise::same_float,
        EuclideanNorm() => reduce::reduce_float,
        Eye() => declared,
        Fft() => declared,
        Filled() => declared,
        Frames() => declared,
        GatherFrom() => declared,
        GatherNd() => declared,
        ImagePSNR() => declared,
        L2Loss() => linalg::scalar,
        L2Normalize() => elementwise::same,
        Lgamma() => elementwise::same_float,
        MatrixDiag() => declared,
        MultiplyNoNan() => elementwise::broadcast,
        Ndtri() => elementwise::same_float,
        Range() => declared,
        ReciprocalNoNan() => elementwise::same,
        ResizeWithCropOrPad() => declared,
        ResizeWithPad() => declared,
        ReverseSequence() => elementwise::same,
        SegmentMean() => declared,
        SegmentSqrtN() => declared,
        SequenceMask() => declared,
        Shape() => index::shape,
        SigmoidCrossEntropy() => elementwise::same,
        SoftmaxCrossEntropy() => declared,
        SpaceToBatch() => declared,
        SparseSoftmaxCrossEntropy() => declared,
        SquaredDifference() => elementwise::broadcast,
        StandardizeImages() => elementwise::same,
        Stft() => declared,
        StridedSlice() => declared,
        Svd() => declared,
        Xdivy() => elementwise::broadcast,
        Xlog1py() => elementwise::broadcast,
        Xlogy() => elementwise::broadcast,
        ZeroFraction() => linalg::scalar,
    }
}

/// Arguments that stand in calls and may be plain numbers there.
const OPERANDS: &[&str] = &[
    "x",
    "x1",
    "x2",
    "xs",
    "y",
    "a",
    "b",
    "q",
    "abs_",
    "angle",
    "array",
    "atol",
    "bias",
    "bins",
    "condition",
    "constant_values",
    "coordinates",
    "data",
    "default",
    "fill_value",
    "indices",
    "inputs",
    "kernel",
    "key",
    "mean",
    "offset",
    "operands",
    "output",
    "output_shape",
    "pattern",
    "rtol",
    "scale",
    "segment_ids",
    "sorted_sequence",
    "start",
    "start_indices",
    "step",
    "stop",
    "target",
    "translation",
    "updates",
    "value",
    "values",
    "variance",
    "weights",
];

/// Those of them that are tensors in any case.
const TENSORS: &[&str] = &["x", "x1", "x2", "y", "a", "b"];

/// One operation: a node without weights.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Operation {
    /// Keras's class name: `GetItem`.
    pub operation: String,
    /// The constructor's arguments: `axis`, `keepdims`...
    pub config: Value,
    /// The Python function among them: that of `VectorizedMap`.
    #[serde(skip)]
    pub function: Option<Activation>,
}

/// An operation as Keras 3 writes it.
pub(crate) struct OperationConfig<T> {
    /// What its constructor takes.
    pub config: Map<String, Value>,
    /// What is left of each call.
    pub calls: Vec<Inputs<T>>,
}

impl Operation {
    /// The operation of that class with these arguments of its constructor.
    ///
    /// # Errors
    /// If the caller's code does not make the function that is among them.
    pub fn new(class: &str, config: Value) -> serde_json::Result<Self> {
        let function = config.get("function").filter(|f| f.is_object());
        let function = function.map(Activation::deserialize).transpose()?;
        Ok(Self { operation: class.to_owned(), config, function })
    }

    /// Whether a serialised object is an operation rather than the layer of the same name:
    /// `.keras` files say the module; in `.h5` files only layers have a `trainable` flag.
    pub(crate) fn is_one(object: &Value, class: &str) -> bool {
        let module = object.get("module").and_then(Value::as_str);
        if let Some(module) = module {
            return module.starts_with("keras.src.ops") || module.starts_with("keras.ops");
        }
        let is_layer = crate::layers::CLASSES.contains(&class)
            && object.get("config").is_some_and(|c| c.get("trainable").is_some());
        OPERATIONS.contains(&class) && !is_layer
    }

    /// The function among its arguments: of the call, by one of these names or at that place, else of
    /// the constructor.
    pub fn function_of<'a, T>(
        &'a self,
        inputs: &'a Inputs<T>,
        names: &[&str],
        position: usize,
    ) -> Option<&'a Activation> {
        let by_name = names.iter().find_map(|name| inputs.named(name, usize::MAX));
        let of_call = by_name.or_else(|| inputs.args.get(position)).and_then(Arg::function);
        of_call.or(self.function.as_ref())
    }

    /// Where Keras has it; what only TensorFlow has, it has not.
    pub(crate) fn module(&self) -> Option<&'static str> {
        constructor(&self.operation).map(|(module, _)| module).filter(|module| !module.is_empty())
    }

    /// As Keras 3 writes it with its `calls`: what its constructor takes stands in the config, not in
    /// the calls, where graphs of `tf.keras` have it.
    ///
    /// # Errors
    /// What it is asked for that Keras's operation has not.
    pub(crate) fn to_config<T: Clone + PartialEq>(
        &self,
        calls: &[&Inputs<T>],
    ) -> Result<OperationConfig<T>, String> {
        let (_, arguments) = constructor(&self.operation).unwrap_or_default();
        let mut config = self.config.as_object().cloned().unwrap_or_default();
        let mut left: Vec<Inputs<T>> = Vec::with_capacity(calls.len());
        for (n, call) in calls.iter().enumerate() {
            let mut call = (*call).clone();
            let mut kwargs = Vec::with_capacity(call.kwargs.len());
            for (name, arg) in call.kwargs.drain(..) {
                let is_argument = arguments.contains(&name.as_str());
                let Some(value) = arg.plain() else {
                    if is_argument {
                        return Err(format!("{name} must be a plain value"));
                    }
                    kwargs.push((name, arg));
                    continue;
                };
                if is_argument {
                    if n > 0 && config.get(&name) != Some(&value) {
                        return Err(format!("{name} differs from call to call"));
                    }
                    config.insert(name, value);
                } else if TENSORS.contains(&name.as_str()) && value.is_array() {
                    // TensorFlow took lists for tensors, Keras takes arrays.
                    let is_whole = !value.to_string().contains('.');
                    let dtype = if is_whole { DType::Int32 } else { DType::Float32 };
                    kwargs.push((name, Arg::Array { value, dtype }));
                } else if OPERANDS.contains(&name.as_str()) {
                    kwargs.push((name, arg));
                } else if !value.is_null() && value != false {
                    return Err(format!("it takes no argument {name}"));
                }
            }
            call.kwargs = kwargs;
            left.push(call);
        }
        Ok(OperationConfig { config, calls: left })
    }

    /// An argument by name: of the call, else of the constructor.
    fn argument<'a>(
        &'a self,
        call: &'a Call<'_>,
        name: &str,
        position: usize,
    ) -> Option<&'a Value> {
        let of_call = call.inputs.named(name, position).and_then(|a| a.value());
        of_call.or_else(|| self.config.get(name))
    }
}

impl LayerConfig for Operation {
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        rule(&self.operation)(&OpCall { op: self, call })
    }

    /// Masks are tensors where there are operations.
    fn mask(&self) -> Mask {
        Mask::Drops
    }
}
