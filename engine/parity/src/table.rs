//! A finished table: named columns, one row per bar, NaN for "nothing".

use std::fmt::Display;
use std::io;

/// A table of the package.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// In the package's order, all of one length.
    columns: Vec<Column>,
}

/// One column.
#[derive(Clone, Debug)]
pub struct Column {
    /// The package's own name for it.
    pub name: &'static str,
    /// One cell per bar.
    pub cells: Cells,
}

/// The cells of a column in the width the package computes them in. Its whole-number columns are `F64` too.
#[derive(Clone, Debug)]
pub enum Cells {
    /// Double precision.
    F64(Vec<f64>),
    /// Single precision.
    F32(Vec<f32>),
}

impl Cells {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::F64(cells) => cells.len(),
            Self::F32(cells) => cells.len(),
        }
    }

    /// No cell at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cell of a row, widened; NaN beyond the end.
    pub fn at(&self, row: usize) -> f64 {
        match self {
            Self::F64(cells) => cells.get(row).copied().unwrap_or(f64::NAN),
            Self::F32(cells) => cells.get(row).copied().map_or(f64::NAN, f64::from),
        }
    }
}

impl From<Vec<f64>> for Cells {
    fn from(cells: Vec<f64>) -> Self {
        Self::F64(cells)
    }
}

impl From<Vec<f32>> for Cells {
    fn from(cells: Vec<f32>) -> Self {
        Self::F32(cells)
    }
}

impl Table {
    pub(crate) fn with(mut self, name: &'static str, cells: impl Into<Cells>) -> Self {
        self.columns.push(Column { name, cells: cells.into() });
        self
    }

    /// The columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Cells> {
        self.columns.iter().find(|column| column.name == name).map(|column| &column.cells)
    }

    /// Rows, that is, bars.
    pub fn len(&self) -> usize {
        self.columns.first().map_or(0, |column| column.cells.len())
    }

    /// No row at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes a heading and one line per bar; NaN is an empty cell.
    ///
    /// A number is the shortest text that parses back to the same value in the width of its column.
    pub fn write_csv(&self, out: &mut impl io::Write) -> io::Result<()> {
        let names: Vec<_> = self.columns.iter().map(|column| column.name).collect();
        writeln!(out, "{}", names.join(","))?;
        for row in 0..self.len() {
            for (nth, column) in self.columns.iter().enumerate() {
                if nth > 0 {
                    out.write_all(b",")?;
                }
                match &column.cells {
                    Cells::F64(cells) => write_cell(out, cells[row], cells[row].is_nan())?,
                    Cells::F32(cells) => write_cell(out, cells[row], cells[row].is_nan())?,
                }
            }
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

fn write_cell(out: &mut impl io::Write, value: impl Display, is_nothing: bool) -> io::Result<()> {
    if is_nothing { Ok(()) } else { write!(out, "{value}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csv_says_nothing_for_nan_and_parses_back_to_the_same_bits() {
        let (wide, narrow) =
            (vec![0.1 + 0.2, f64::NAN, -1e300], vec![0.973_455_55f32, 16_777_216.0, f32::NAN]);
        let table = Table::default().with("A", wide.clone()).with("B%", narrow.clone());
        let mut text = Vec::new();
        table.write_csv(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("A,B%\n0.30000000000000004,0.97345555\n,16777216\n-1000"));
        for (row, line) in text.lines().skip(1).enumerate() {
            let (a, b) = line.split_once(',').unwrap();
            assert_eq!(a.parse().unwrap_or(f64::NAN).to_bits(), wide[row].to_bits());
            assert_eq!(b.parse().unwrap_or(f32::NAN).to_bits(), narrow[row].to_bits());
        }
    }
}
