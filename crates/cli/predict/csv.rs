//! Tables as text: RFC 4180, read and written.

use clap::{Args, ValueEnum};
use keras_runtime::{DType, Data, Input, Tensor};

#[derive(Args)]
#[group(skip)]
pub(super) struct Options {
    /// Whether a table begins with the names of its columns; auto: if these are no numbers, or
    /// names of inputs
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    header: Header,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Header {
    Auto,
    Yes,
    No,
}

/// Rows of fields, each row as long as the first.
#[derive(Debug, PartialEq)]
pub(super) struct Table {
    names: Option<Vec<String>>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table for these inputs.
    pub(super) fn read(
        text: &str,
        separator: Option<char>,
        inputs: &[Input],
        options: &Options,
    ) -> Result<Self, String> {
        let mut rows = fields(text.strip_prefix('\u{feff}').unwrap_or(text), separator)?;
        let width = rows.first().map_or(0, Vec::len);
        if let Some(at) = rows.iter().position(|row| row.len() != width) {
            let found = rows.get(at).map_or(0, Vec::len);
            return Err(format!(
                "row {} has {found} fields, the first one {width} (a field with a separator in it \
                 must be quoted; lines of plain text are a .txt)",
                at + 1
            ));
        }
        let first = rows.first().map(Vec::as_slice).unwrap_or_default();
        let is_text = inputs.iter().any(|i| i.dtype == DType::String);
        let has_names = match options.header {
            Header::Yes => true,
            Header::No => false,
            Header::Auto => {
                let is_name = |field: &String| inputs.iter().any(|i| i.name == *field);
                first.iter().any(is_name) || !is_text && first.iter().any(|f| number(f).is_none())
            }
        };
        let names = (has_names && !rows.is_empty()).then(|| rows.remove(0));
        if rows.is_empty() {
            return Err("the table has no rows".to_owned());
        }
        Ok(Self { names, rows })
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The inputs of a model: by the names of the columns, else by their number.
    pub(super) fn tensors(&self, inputs: &[Input]) -> Result<Vec<Tensor>, String> {
        let names = self.names.as_deref().unwrap_or_default();
        let place = |input: &Input| names.iter().position(|name| *name == input.name);
        let places: Option<Vec<usize>> = inputs.iter().map(place).collect();
        let columns = self.rows.first().map_or(0, Vec::len);
        if let Some(places) = places.filter(|p| !p.is_empty() && (p.len() > 1 || columns == 1)) {
            let pairs = inputs.iter().zip(places);
            return pairs.map(|(input, at)| self.tensor(input, at..at + 1)).collect();
        }
        if let [one] = inputs {
            return Ok(vec![self.tensor(one, 0..columns)?]);
        }
        let mut start = 0;
        let mut tensors = Vec::with_capacity(inputs.len());
        for input in inputs {
            let dims = input.shape.dims().get(1..).unwrap_or_default();
            let width = dims.iter().try_fold(1_usize, |n, d| n.checked_mul((*d)?));
            let end = width.and_then(|w| w.checked_add(start)).filter(|end| *end <= columns);
            let end = end.ok_or_else(|| unfit(inputs, columns))?;
            tensors.push(self.tensor(input, start..end)?);
            start = end;
        }
        if start == columns { Ok(tensors) } else { Err(unfit(inputs, columns)) }
    }

    /// Some columns as one input, in its shape.
    fn tensor(&self, input: &Input, columns: std::ops::Range<usize>) -> Result<Tensor, String> {
        let rows = self.rows.iter().map(|row| row.get(columns.clone()).unwrap_or_default());
        let data = if input.dtype == DType::String {
            Data::String(rows.flatten().cloned().collect())
        } else {
            numbers(rows, columns.start, input.dtype, usize::from(self.names.is_some()))?
        };
        let shape = shape(input, self.rows.len(), columns.len()).ok_or_else(|| {
            let (shape, name) = (&input.shape, &input.name);
            format!("{} columns do not fit input {name:?} of shape {shape}", columns.len())
        })?;
        Tensor::from_data(shape, data).map_err(|e| e.to_string())
    }
}

fn unfit(inputs: &[Input], columns: usize) -> String {
    let names: Vec<&str> = inputs.iter().map(|i| i.name.as_str()).collect();
    format!(
        "{columns} columns do not fit the {} inputs; name the columns {} in a header, or give \
         each input a file: --input NAME=FILE",
        inputs.len(),
        names.join(", ")
    )
}

/// The shape of an input for rows of so many columns, one unknown axis filled in.
fn shape(input: &Input, rows: usize, columns: usize) -> Option<Vec<usize>> {
    let Some(dims) = input.shape.dims().get(1..) else { return Some(vec![rows, columns]) };
    let known = dims.iter().flatten().try_fold(1_usize, |n, d| n.checked_mul(*d))?;
    let free = dims.iter().filter(|d| d.is_none()).count();
    let length = columns.checked_div(known)?;
    if free > 1 || length * known != columns || (free == 0 && length != 1) {
        return None;
    }
    Some(std::iter::once(rows).chain(dims.iter().map(|d| d.unwrap_or(length))).collect())
}

/// Fields as numbers: whole ones where the input takes these.
fn numbers<'a>(
    rows: impl Iterator<Item = &'a [String]>,
    first: usize,
    dtype: DType,
    skipped: usize,
) -> Result<Data, String> {
    let (mut whole, mut broken) = (Vec::new(), Vec::new());
    for (i, row) in rows.enumerate() {
        for (j, field) in row.iter().enumerate() {
            let wrong = || {
                let (row, column) = (i + 1 + skipped, first + j + 1);
                format!("row {row}, column {column}: {field:?} is no {dtype}")
            };
            if dtype.is_float() {
                broken.push(number(field).ok_or_else(wrong)?);
            } else {
                let truth = match field.trim().to_lowercase().as_str() {
                    "true" => Some(1),
                    "false" => Some(0),
                    _ => None,
                };
                whole.push(truth.or_else(|| field.trim().parse().ok()).ok_or_else(wrong)?);
            }
        }
    }
    Ok(if dtype.is_float() { Data::Float64(broken) } else { Data::Int64(whole) })
}

fn number(field: &str) -> Option<f64> {
    field.trim().parse().ok()
}

/// The rows of a text; empty lines are none. Without a separator each line is one field.
fn fields(text: &str, separator: Option<char>) -> Result<Vec<Vec<String>>, String> {
    let Some(separator) = separator else {
        return Ok(text.lines().map(|line| vec![line.to_owned()]).collect());
    };
    let mut rows = Vec::new();
    let (mut row, mut field) = (Vec::new(), String::new());
    let (mut is_quoted, mut was_quoted) = (false, false);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if is_quoted => is_quoted = false,
            c if is_quoted => field.push(c),
            '"' if field.trim().is_empty() => {
                field.clear();
                (is_quoted, was_quoted) = (true, true);
            }
            c if c == separator => {
                row.push(std::mem::take(&mut field));
                was_quoted = false;
            }
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' => {
                end_row(&mut rows, &mut row, &mut field, was_quoted);
                was_quoted = false;
            }
            c => field.push(c),
        }
    }
    if is_quoted {
        return Err(format!("row {}: a quoted field does not end", rows.len() + 1));
    }
    end_row(&mut rows, &mut row, &mut field, was_quoted);
    Ok(rows)
}

fn end_row(
    rows: &mut Vec<Vec<String>>,
    row: &mut Vec<String>,
    field: &mut String,
    was_quoted: bool,
) {
    if !row.is_empty() || !field.is_empty() || was_quoted {
        row.push(std::mem::take(field));
        rows.push(std::mem::take(row));
    }
}

/// Rows as text, fields quoted where they must be.
pub(super) fn write(rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = String::new();
    for row in rows {
        for (i, field) in row.iter().enumerate() {
            if i > 0 {
                text.push(',');
            }
            if field.contains(['"', ',', '\n', '\r']) {
                text.push('"');
                text.push_str(&field.replace('"', "\"\""));
                text.push('"');
            } else {
                text.push_str(field);
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let rows =
            [vec!["a,b".to_owned(), "say \"x\"".to_owned()], vec!["c\nd".into(), " ".into()]];
        assert_eq!(fields(&write(rows.clone().into_iter()), Some(',')).unwrap(), rows);
    }

    #[test]
    fn lines_may_end_as_anywhere() {
        let expected = [["1", "2"], ["3", "4"]];
        for text in ["1,2\n3,4", "1,2\r\n3,4\r\n", "1,2\n\n3,4\n\n"] {
            assert_eq!(fields(text, Some(',')).unwrap(), expected);
        }
        assert!(fields("1,\"2", Some(',')).unwrap_err().contains("does not end"));
    }
}
