//! The table that Keras 3 prints: columns of fixed width, every row ruled off.
//!
//! Keras draws it with the Python package `rich`; widths, wrapping and shortening follow
//! `rich/table.py`, `rich/_wrap.py` and `rich/_ratio.py` of version 14.

use std::fmt;

use unicode_width::UnicodeWidthStr as _;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
    Center,
}

pub(super) struct Column {
    pub header: &'static str,
    pub align: Align,
    /// Characters between the paddings, before the table is made to fit.
    pub width: usize,
}

pub(super) struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<String>>,
    /// Characters from border to border.
    pub width: usize,
}

/// One space on each side of a cell.
const PADDING: usize = 2;

impl Table {
    /// Widths of the columns without padding, evenly reduced until the table fits.
    fn widths(&self) -> Vec<usize> {
        let borders = self.columns.len().saturating_add(1);
        let room = self.width.saturating_sub(borders);
        let mut widths: Vec<usize> =
            self.columns.iter().map(|c| c.width.saturating_add(PADDING)).collect();
        let mut excess = widths.iter().sum::<usize>().saturating_sub(room);
        let mut left = widths.len();
        for width in &mut widths {
            let share = round_half_even(excess, left).min(*width);
            *width = width.saturating_sub(share);
            excess = excess.saturating_sub(share);
            left = left.saturating_sub(1);
        }
        widths.into_iter().map(|w| w.saturating_sub(PADDING)).collect()
    }
}

/// `round(a / b)` of Python: halves go to the even neighbour.
fn round_half_even(a: usize, b: usize) -> usize {
    let floor = a.checked_div(b).unwrap_or(0);
    let twice = a.saturating_sub(floor.saturating_mul(b)).saturating_mul(2);
    let up = twice > b || (twice == b && floor % 2 == 1);
    floor.saturating_add(usize::from(up))
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let rule = |f: &mut fmt::Formatter<'_>, [left, fill, middle, right]: [char; 4]| {
            for (i, width) in widths.iter().enumerate() {
                write!(f, "{}", if i == 0 { left } else { middle })?;
                (0..width.saturating_add(PADDING)).try_for_each(|_| write!(f, "{fill}"))?;
            }
            writeln!(f, "{right}")
        };
        let row = |f: &mut fmt::Formatter<'_>, cells: &[&str], bar: char| {
            let cells: Vec<Vec<String>> = cells
                .iter()
                .zip(&self.columns)
                .zip(&widths)
                .map(|((text, column), width)| lines(text, *width, column.align))
                .collect();
            let height = cells.iter().map(Vec::len).max().unwrap_or(0);
            for line in 0..height {
                for (cell, width) in cells.iter().zip(&widths) {
                    let blank = " ".repeat(*width);
                    write!(f, "{bar} {} ", cell.get(line).unwrap_or(&blank))?;
                }
                writeln!(f, "{bar}")?;
            }
            Ok(())
        };
        rule(f, ['┏', '━', '┳', '┓'])?;
        let header: Vec<&str> = self.columns.iter().map(|c| c.header).collect();
        row(f, &header, '┃')?;
        rule(f, ['┡', '━', '╇', '┩'])?;
        for (i, cells) in self.rows.iter().enumerate() {
            if i > 0 {
                rule(f, ['├', '─', '┼', '┤'])?;
            }
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            row(f, &cells, '│')?;
        }
        rule(f, ['└', '─', '┴', '┘'])
    }
}

/// The lines of one cell, each exactly `width` wide.
fn lines(text: &str, width: usize, align: Align) -> Vec<String> {
    wrap(text, width).into_iter().map(|line| fit(&line, width, align)).collect()
}

/// Breaks between words; a word that is wider than the column has a line of its own.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in words(text) {
        let room = width.saturating_sub(line.width());
        let fits = word.trim_end().width() <= room;
        if !fits && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// Words with the blanks around them: all before the first, then those behind each.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut in_word = false;
    let mut blank_behind = false;
    for (at, c) in text.char_indices() {
        if c.is_whitespace() {
            blank_behind = in_word;
        } else {
            if blank_behind {
                words.extend(text.get(start..at));
                start = at;
                blank_behind = false;
            }
            in_word = true;
        }
    }
    words.extend(text.get(start..).filter(|w| !w.is_empty()));
    words
}

/// Shortened with an ellipsis or filled up to the width.
fn fit(line: &str, width: usize, align: Align) -> String {
    let mut line = line.trim_end().to_owned();
    if line.width() > width {
        while line.width() > width.saturating_sub(1) {
            line.pop();
        }
        line.push('…');
    }
    let blank = width.saturating_sub(line.width());
    let before = match align {
        Align::Left => 0,
        Align::Right => blank,
        Align::Center => blank / 2,
    };
    let (before, after) = (" ".repeat(before), " ".repeat(blank.saturating_sub(before)));
    format!("{before}{line}{after}")
}

#[test]
fn cells_wrap_at_words_and_are_shortened() {
    assert_eq!(lines("time_distributed (TimeDistributed)", 31, Align::Left).len(), 2);
    assert_eq!(lines("Trainable", 5, Align::Center), ["Trai…"]);
    assert_eq!(lines("12", 5, Align::Right), ["   12"]);
    assert_eq!(lines("   └ dense (Dense)", 20, Align::Left), ["   └ dense (Dense)  "]);
    assert_eq!(words("  a  b c"), ["  a  ", "b ", "c"]);
}

#[test]
fn an_excess_is_shared_as_python_rounds() {
    let column = |width| Column { header: "", align: Align::Left, width };
    let table =
        Table { columns: vec![column(34), column(26), column(16)], rows: vec![], width: 76 };
    assert_eq!(table.widths(), [31, 22, 13]);
}
