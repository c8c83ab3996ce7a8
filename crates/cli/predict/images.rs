//! Pictures as `keras.utils.load_img` and `img_to_array` make arrays of them, and
//! `preprocess_input` of `keras.applications`. Source: `keras/src/utils/image_utils.py` and
//! `keras/src/applications/imagenet_utils.py`, Keras 3.15.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use image::{DynamicImage, ImageReader};
use keras_runtime::{Input, Tensor};

#[derive(Args)]
#[group(skip)]
pub(super) struct Options {
    /// How pictures get the size of the input
    #[arg(long, value_enum, default_value = "nearest", value_name = "HOW")]
    resize: Resize,
    /// What becomes of the values 0 to 255: none, tf (-1 to 1), torch, caffe, or as for a family
    /// of keras.applications: resnet50, mobilenet_v2...
    #[arg(long, default_value = "none", value_name = "MODE")]
    preprocess: Preprocess,
    /// A factor for the values instead: 1/255
    #[arg(long, value_name = "FACTOR", conflicts_with = "preprocess")]
    scale: Option<Factor>,
}

impl Options {
    /// Whether they say something about pictures that has to be heeded.
    pub(super) fn change_values(&self) -> bool {
        self.scale.is_some() || self.preprocess != Preprocess::None
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Resize {
    /// The pixel below: what Keras does
    Nearest,
    /// Straight lines between pixels
    Bilinear,
    /// Curves through pixels
    Bicubic,
    /// Windows of six pixels
    Lanczos,
}

/// The modes of `imagenet_utils.preprocess_input`.
#[derive(Clone, Copy, PartialEq)]
enum Preprocess {
    None,
    Tf,
    Torch,
    Caffe,
}

impl FromStr for Preprocess {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "none" | "convnext" | "efficientnet" | "efficientnet_v2" | "mobilenet_v3" => Self::None,
            "tf"
            | "inception_resnet_v2"
            | "inception_v3"
            | "mobilenet"
            | "mobilenet_v2"
            | "nasnet"
            | "resnet_v2"
            | "xception" => Self::Tf,
            "torch" | "densenet" => Self::Torch,
            "caffe" | "resnet" | "resnet50" | "vgg16" | "vgg19" => Self::Caffe,
            _ => {
                return Err(
                    "expected none, tf, torch, caffe, or a module of keras.applications".into()
                );
            }
        })
    }
}

impl Preprocess {
    fn apply(self, [r, g, b]: [f32; 3]) -> [f32; 3] {
        match self {
            Self::None => [r, g, b],
            Self::Tf => [r, g, b].map(|v| v / 127.5 - 1.0),
            Self::Torch => [
                (r / 255.0 - 0.485) / 0.229,
                (g / 255.0 - 0.456) / 0.224,
                (b / 255.0 - 0.406) / 0.225,
            ],
            Self::Caffe => [b - 103.939, g - 116.779, r - 123.68],
        }
    }
}

/// A number, or one divided by another.
#[derive(Clone, Copy)]
struct Factor(f32);

impl FromStr for Factor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<f32>().ok();
        let factor = match text.split_once('/') {
            Some((a, b)) => number(a).zip(number(b)).map(|(a, b)| a / b),
            None => number(text),
        };
        let finite = factor.filter(|f| f.is_finite());
        finite.map(Self).ok_or_else(|| "expected a number, or 1/255".to_owned())
    }
}

/// Where the channels of a model's pictures are, and how many.
struct Format {
    height: Option<usize>,
    width: Option<usize>,
    channels: usize,
    is_first: bool,
}

impl Format {
    fn of(input: &Input) -> Result<Self, String> {
        let is_channels = |dim: Option<usize>| matches!(dim, Some(1 | 3 | 4));
        let (height, width, channels, is_first) = match *input.shape.dims() {
            [_, height, width, c] if is_channels(c) => (height, width, c, false),
            [_, c, height, width] if is_channels(c) => (height, width, c, true),
            [_, height, width, None] => (height, width, Some(3), false),
            // One channel without an axis, or a model that does not say what it takes.
            [_, height, width] => (height, width, Some(1), false),
            [] => (None, None, Some(3), false),
            _ => {
                let (name, shape) = (&input.name, &input.shape);
                return Err(format!("input {name:?} of shape {shape} takes no pictures"));
            }
        };
        Ok(Self { height, width, channels: channels.unwrap_or(3), is_first })
    }
}

/// Whether a file is a picture that can be read here.
pub(super) fn is_picture(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG") || bytes.starts_with(&[0xff, 0xd8, 0xff])
}

pub(super) fn decode(bytes: &[u8]) -> Result<DynamicImage, String> {
    let reader = ImageReader::new(std::io::Cursor::new(bytes));
    let reader = reader.with_guessed_format().map_err(|e| e.to_string())?;
    reader.decode().map_err(|e| e.to_string())
}

/// Pictures as one input of a model: a batch, all of one size.
pub(super) fn tensor(
    pictures: &[(String, DynamicImage)],
    input: &Input,
    options: &Options,
) -> Result<Tensor, String> {
    let format = Format::of(input)?;
    if options.preprocess != Preprocess::None && format.channels != 3 {
        return Err(format!(
            "--preprocess takes 3 channels, input {:?} has {}",
            input.name, format.channels
        ));
    }
    let mut size = None;
    let mut values: Vec<f32> = Vec::new();
    for (name, picture) in pictures {
        let pixels = Pixels::of(picture, format.channels);
        let to = (format.height.unwrap_or(pixels.height), format.width.unwrap_or(pixels.width));
        let (height, width) = *size.get_or_insert(to);
        if to != (height, width) {
            return Err(format!(
                "{name} has {} x {} pixels, the first picture {height} x {width}; one batch has one size",
                to.0, to.1
            ));
        }
        let mut pixels = pixels.resized(height, width, options.resize);
        options.change(&mut pixels.values, format.channels);
        if format.is_first {
            let channel = |c: usize| pixels.values.iter().skip(c).step_by(format.channels);
            values.extend((0..format.channels).flat_map(channel));
        } else {
            values.append(&mut pixels.values);
        }
    }
    let (height, width) = size.unwrap_or((0, 0));
    let (n, c) = (pictures.len(), format.channels);
    let shape = match input.shape.rank() {
        3 => vec![n, height, width],
        _ if format.is_first => vec![n, c, height, width],
        _ => vec![n, height, width, c],
    };
    Tensor::new(shape, values).map_err(|e| e.to_string())
}

impl Options {
    fn change(&self, values: &mut [f32], channels: usize) {
        if let Some(Factor(factor)) = self.scale {
            values.iter_mut().for_each(|v| *v *= factor);
        }
        if channels == 3 {
            let (pixels, _) = values.as_chunks_mut::<3>();
            pixels.iter_mut().for_each(|pixel| *pixel = self.preprocess.apply(*pixel));
        }
    }
}

/// A picture as numbers from 0 to 255, row by row.
struct Pixels {
    height: usize,
    width: usize,
    channels: usize,
    values: Vec<f32>,
}

impl Pixels {
    /// As `PIL.Image.convert` makes the modes `L`, `RGB` and `RGBA`.
    fn of(picture: &DynamicImage, channels: usize) -> Self {
        let rgba = picture.to_rgba8();
        let [width, height] = [rgba.width(), rgba.height()].map(|n| n as usize);
        let mut values = Vec::with_capacity(width * height * channels);
        for pixel in rgba.pixels() {
            let [r, g, b, a] = pixel.0;
            match channels {
                1 => values.push(luma(r, g, b)),
                3 => values.extend([r, g, b].map(f32::from)),
                _ => values.extend([r, g, b, a].map(f32::from)),
            }
        }
        Self { height, width, channels, values }
    }

    fn resized(self, height: usize, width: usize, how: Resize) -> Self {
        if (height, width) == (self.height, self.width) {
            return self;
        }
        let filter = match how {
            Resize::Nearest => return self.nearest(height, width),
            Resize::Bilinear => Filter { support: 1.0, weight: |x| 1.0 - x.abs() },
            Resize::Bicubic => Filter { support: 2.0, weight: cubic },
            Resize::Lanczos => Filter { support: 3.0, weight: |x| sinc(x) * sinc(x / 3.0) },
        };
        // Pillow goes along the rows first, and rounds in between.
        let taps = filter.taps(self.width, width);
        let mut across = Vec::with_capacity(self.height * width * self.channels);
        for row in self.values.chunks_exact(self.width * self.channels) {
            for (first, weights) in &taps {
                for c in 0..self.channels {
                    let column = row.iter().skip(first * self.channels + c).step_by(self.channels);
                    across.push(weighted(column, weights));
                }
            }
        }
        let mut values = Vec::with_capacity(height * width * self.channels);
        let line = width * self.channels;
        for (first, weights) in filter.taps(self.height, height) {
            for at in 0..line {
                let column = across.iter().skip(first * line + at).step_by(line);
                values.push(weighted(column, &weights));
            }
        }
        Self { height, width, channels: self.channels, values }
    }

    fn nearest(self, height: usize, width: usize) -> Self {
        // Pillow adds up, so that a place between two pixels may be rounded either way.
        let places = |from: usize, to: usize| {
            let scale = from as f64 / to as f64;
            let sums = std::iter::successors(Some(scale * 0.5), move |at| Some(at + scale));
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "places within the picture"
            )]
            sums.take(to).map(|at| at as usize).collect::<Vec<usize>>()
        };
        let (rows, columns) = (places(self.height, height), places(self.width, width));
        let mut values = Vec::with_capacity(height * width * self.channels);
        for row in rows {
            for column in &columns {
                let start = (row * self.width + column) * self.channels;
                values.extend(self.values.get(start..start + self.channels).unwrap_or_default());
            }
        }
        Self { height, width, channels: self.channels, values }
    }
}

/// The grey of a colour by ITU-R 601-2, in whole numbers as Pillow has it.
fn luma(r: u8, g: u8, b: u8) -> f32 {
    let sum = u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + 0x8000;
    (sum >> 16) as f32
}

/// How much a pixel counts at a distance; made wider where a picture becomes smaller.
struct Filter {
    support: f64,
    weight: fn(f64) -> f64,
}

impl Filter {
    /// For each place the first pixel that counts, and the weights from there on.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "places within the picture"
    )]
    fn taps(&self, from: usize, to: usize) -> Vec<(usize, Vec<f64>)> {
        let scale = from as f64 / to as f64;
        let stretch = scale.max(1.0);
        let support = self.support * stretch;
        (0..to)
            .map(|at| {
                let centre = (at as f64 + 0.5) * scale;
                let first = (centre - support + 0.5).max(0.0) as usize;
                let last = ((centre + support + 0.5) as usize).min(from);
                let place = |i: usize| (i as f64 - centre + 0.5) / stretch;
                let within = |x: f64| if x.abs() < self.support { (self.weight)(x) } else { 0.0 };
                let weights: Vec<f64> = (first..last).map(|i| within(place(i))).collect();
                let sum: f64 = weights.iter().sum();
                (first, weights.into_iter().map(|w| w / sum).collect())
            })
            .collect()
    }
}

fn weighted<'a>(values: impl Iterator<Item = &'a f32>, weights: &[f64]) -> f32 {
    let sum: f64 = values.zip(weights).map(|(v, w)| f64::from(*v) * w).sum();
    #[allow(clippy::cast_possible_truncation, reason = "a whole number up to 255")]
    let rounded = (sum + 0.5).floor().clamp(0.0, 255.0) as f32;
    rounded
}

/// The cubic of Keys with -0.5.
fn cubic(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 { (1.5 * x - 2.5) * x * x + 1.0 } else { ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0 }
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x == 0.0 { 1.0 } else { x.sin() / x }
}

#[test]
fn modes_are_those_of_imagenet_utils() {
    let near = |a: [f32; 3], b: [f32; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
    let colour = [255.0, 0.0, 127.5];
    assert!(near(Preprocess::Tf.apply(colour), [1.0, -1.0, 0.0]));
    assert!(near(Preprocess::Caffe.apply(colour), [23.561, -116.779, 131.32]));
    assert!(near(Preprocess::Torch.apply(colour), [2.248_91, -2.035_71, 0.417_78]));
}
