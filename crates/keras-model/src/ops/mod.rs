//! Operations of `keras.ops` as nodes of a functional graph. Source: `keras/src/ops`, Keras 3.15.

mod infer;

use serde::Serialize;
use serde_json::Value;

use crate::layers::{LayerConfig, Mask};
use crate::{Call, KerasTensor, Result};

/// How the shape of an operation's result follows from its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// The first tensor's shape and type.
    Same,
    /// The first tensor's shape, `bool`.
    SameBool,
    /// The shape that the arguments broadcast to.
    Broadcast,
    /// The same, `bool`.
    BroadcastBool,
    /// Without the axes in `axis`, or with length 1 there for `keepdims`.
    Reduce,
    /// The same, `bool`.
    ReduceBool,
    /// Indexing and slicing.
    GetItem,
    /// Another element type.
    Cast,
    /// Joined along `axis`.
    Concatenate,
    /// Axes in another order.
    Transpose,
    /// A new axis of length 1.
    ExpandDims,
    /// A matrix product of the last two axes.
    Matmul,
    /// No rule yet: the shape is what the file says where the result is used.
    Declared,
}

macro_rules! operations {
    ($($name:ident $rule:ident),* $(,)?) => {
        /// Every operation that this crate knows by name.
        pub const OPERATIONS: &[&str] = &[$(stringify!($name)),*];

        fn rule(name: &str) -> Rule {
            match name { $(stringify!($name) => Rule::$rule,)* _ => Rule::Declared }
        }
    };
}

operations! {
    // keras/src/ops/core.py
    Map Declared,
    Scan Declared,
    AssociativeScan Declared,
    Scatter Declared,
    ScatterUpdate Declared,
    Slice Declared,
    SliceUpdate Declared,
    Switch Declared,
    WhileLoop Declared,
    StopGradient Same,
    ForiLoop Declared,
    Unstack Declared,
    Cast Cast,
    SaturateCast Cast,
    ConvertToTensor Declared,
    Cond Declared,
    VectorizedMap Declared,
    // keras/src/ops/einops.py
    Rearrange Declared,
    // keras/src/ops/image.py
    RGBToGrayscale Declared,
    RGBToHSV Same,
    HSVToRGB Same,
    Resize Declared,
    AffineTransform Declared,
    ExtractPatches Declared,
    MapCoordinates Declared,
    PadImages Declared,
    CropImages Declared,
    PerspectiveTransform Declared,
    GaussianBlur Same,
    ElasticTransform Same,
    ScaleAndTranslate Declared,
    SobelEdges Declared,
    SSIM Declared,
    // keras/src/ops/linalg.py
    Cholesky Declared,
    CholeskyInverse Declared,
    Det Declared,
    Eig Declared,
    Eigh Declared,
    Inv Declared,
    LuFactor Declared,
    Norm Declared,
    Qr Declared,
    Solve Declared,
    SolveTriangular Declared,
    SVD Declared,
    Lstsq Declared,
    MatrixRank Declared,
    Pinv Declared,
    JVP Declared,
    // keras/src/ops/math.py
    SegmentReduction Declared,
    SegmentSum Declared,
    SegmentMax Declared,
    SegmentMin Declared,
    SegmentProd Declared,
    TopK Declared,
    InTopK Declared,
    Logsumexp Reduce,
    CDist Declared,
    ExtractSequences Declared,
    FFT Declared,
    FFT2 Declared,
    IFFT2 Declared,
    RFFT Declared,
    IRFFT Declared,
    STFT Declared,
    ISTFT Declared,
    Rsqrt Same,
    Erf Same,
    Erfc Same,
    Erfinv Same,
    Logdet Declared,
    ViewAsComplex Declared,
    ViewAsReal Declared,
    // keras/src/ops/nn.py
    Relu Same,
    Relu6 Same,
    Sigmoid Same,
    SparseSigmoid Same,
    Softplus Same,
    Softsign Same,
    SoftShrink Same,
    SparsePlus Same,
    Silu Same,
    Squareplus Same,
    LogSigmoid Same,
    LeakyRelu Same,
    HardSigmoid Same,
    HardSilu Same,
    Elu Same,
    Selu Same,
    Gelu Same,
    Celu Same,
    Glu Declared,
    TanhShrink Same,
    HardTanh Same,
    HardShrink Same,
    Threshold Same,
    Softmax Same,
    LogSoftmax Same,
    Sparsemax Same,
    MaxPool Declared,
    AdaptiveMaxPool Declared,
    AveragePool Declared,
    AdaptiveAveragePool Declared,
    Conv Declared,
    DepthwiseConv Declared,
    SeparableConv Declared,
    ConvTranspose Declared,
    OneHot Declared,
    BinaryCrossentropy Declared,
    CategoricalCrossentropy Declared,
    SparseCategoricalCrossentropy Declared,
    MultiHot Declared,
    Moments Declared,
    BatchNorm Declared,
    CTCLoss Declared,
    CTCDecode Declared,
    Normalize Same,
    PSNR Declared,
    DotProductAttention Declared,
    RMSNorm Same,
    LayerNorm Same,
    Polar Same,
    Unfold Declared,
    Fold Declared,
    DepthToSpace Declared,
    SpaceToDepth Declared,
    // keras/src/ops/numpy.py
    Rot90 Declared,
    Absolute Same,
    Abs Same,
    Fabs Same,
    Add Broadcast,
    All ReduceBool,
    AllClose Declared,
    Angle Same,
    Any ReduceBool,
    Amax Reduce,
    Amin Reduce,
    Append Declared,
    Arange Declared,
    Arccos Same,
    Arccosh Same,
    Arcsin Same,
    Arcsinh Same,
    Arctan Same,
    Arctan2 Broadcast,
    Arctanh Same,
    Argmax Declared,
    Argmin Declared,
    Argsort Declared,
    Array Declared,
    View Declared,
    Average Declared,
    Heaviside Broadcast,
    Bincount Declared,
    BitwiseAnd Broadcast,
    BitwiseInvert Same,
    BitwiseNot Same,
    BitwiseOr Broadcast,
    BitwiseXor Broadcast,
    BitwiseLeftShift Broadcast,
    LeftShift Broadcast,
    BitwiseRightShift Broadcast,
    RightShift Broadcast,
    BroadcastTo Declared,
    Cbrt Same,
    Ceil Same,
    Clip Same,
    Concatenate Concatenate,
    Conjugate Same,
    Conj Same,
    Copy Same,
    Cos Same,
    Cosh Same,
    CountNonzero Declared,
    Cross Declared,
    Cumprod Same,
    Cumsum Same,
    Deg2rad Same,
    Rad2deg Same,
    Diag Declared,
    Diagflat Declared,
    Diagonal Declared,
    Diff Declared,
    Digitize Declared,
    Dot Declared,
    Dstack Declared,
    Einsum Declared,
    EmptyLike Same,
    Equal BroadcastBool,
    Exp Same,
    Exp2 Same,
    ExpandDims ExpandDims,
    Expm1 Same,
    Flip Same,
    Fliplr Same,
    Flipud Same,
    Floor Same,
    Full Declared,
    FullLike Same,
    Gcd Broadcast,
    GetItem GetItem,
    Geomspace Declared,
    Greater BroadcastBool,
    GreaterEqual BroadcastBool,
    Hstack Declared,
    Hsplit Declared,
    Hypot Broadcast,
    Imag Same,
    I0 Same,
    Isclose BroadcastBool,
    Isfinite SameBool,
    IsIn Declared,
    Isinf SameBool,
    Isnan SameBool,
    Isneginf SameBool,
    Isposinf SameBool,
    Isreal SameBool,
    Kron Declared,
    Lcm Broadcast,
    Ldexp Broadcast,
    Less BroadcastBool,
    LessEqual BroadcastBool,
    Linspace Declared,
    Log Same,
    Log10 Same,
    Log1p Same,
    Log2 Same,
    Logaddexp Broadcast,
    Logaddexp2 Broadcast,
    LogicalAnd BroadcastBool,
    LogicalNot SameBool,
    LogicalOr BroadcastBool,
    Logspace Declared,
    Matmul Matmul,
    Max Reduce,
    Maximum Broadcast,
    Fmax Broadcast,
    Median Reduce,
    Meshgrid Declared,
    Min Reduce,
    Minimum Broadcast,
    Fmin Broadcast,
    Mod Broadcast,
    Fmod Broadcast,
    Moveaxis Declared,
    Nanargmax Declared,
    Nanargmin Declared,
    Nancumsum Same,
    Nancumprod Same,
    Nanmax Reduce,
    Nanmean Reduce,
    Nanmedian Reduce,
    Nanmin Reduce,
    Nanpercentile Declared,
    Nanprod Reduce,
    Nanquantile Declared,
    Nanstd Reduce,
    Nansum Reduce,
    Nanvar Reduce,
    NanToNum Same,
    Ndim Declared,
    Nonzero Declared,
    NotEqual BroadcastBool,
    OnesLike Same,
    ZerosLike Same,
    Outer Declared,
    Pad Declared,
    Percentile Declared,
    Prod Reduce,
    Ptp Reduce,
    Quantile Declared,
    Ravel Declared,
    UnravelIndex Declared,
    Real Same,
    Reciprocal Same,
    Repeat Declared,
    Reshape Declared,
    Roll Same,
    Round Same,
    SearchSorted Declared,
    Sign Same,
    Signbit SameBool,
    Sin Same,
    Sinc Same,
    Sinh Same,
    Size Declared,
    Sort Same,
    Split Declared,
    Stack Declared,
    Std Reduce,
    Swapaxes Declared,
    Take Declared,
    TakeAlongAxis Declared,
    Tan Same,
    Tanh Same,
    Tensordot Declared,
    Tile Declared,
    Trace Declared,
    Tril Same,
    Triu Same,
    Trunc Same,
    Vdot Declared,
    Inner Declared,
    Vstack Declared,
    Vsplit Declared,
    Where Declared,
    Subtract Broadcast,
    Multiply Broadcast,
    Divide Broadcast,
    DivideNoNan Broadcast,
    TrueDivide Broadcast,
    Power Broadcast,
    Negative Same,
    Nextafter Broadcast,
    Square Same,
    Sqrt Same,
    Squeeze Declared,
    Transpose Transpose,
    Trapezoid Declared,
    Mean Reduce,
    Vander Declared,
    Var Reduce,
    Sum Reduce,
    FloorDivide Broadcast,
    LogicalXor BroadcastBool,
    Corrcoef Declared,
    Correlate Declared,
    Select Declared,
    Slogdet Declared,
    Argpartition Declared,
    Histogram Declared,
    ArraySplit Declared,
    Unique Declared,
    Dsplit Declared,
    // Functions of TensorFlow that `keras.ops` has under no name of its own.
    SquaredDifference Broadcast,
    Shape Declared,
}

/// One operation: a node without weights.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Operation {
    /// Keras's class name: `GetItem`.
    pub operation: String,
    /// The constructor's arguments: `axis`, `keepdims`...
    pub config: Value,
}

impl Operation {
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
        infer::output(self, rule(&self.operation), call)
    }

    /// Masks are tensors where there are operations.
    fn mask(&self) -> Mask {
        Mask::Drops
    }
}
