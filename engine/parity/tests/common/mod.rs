//! What the tests of the tables share: files, comparison, chance.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a test may crash")]

pub mod series;

use std::path::PathBuf;

use smc_parity::{Cells, Table};

/// A file of the shared data, looked for beside each ancestor of this crate.
pub fn shared(path: &str) -> Option<String> {
    let mut at = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    while at.pop() {
        let file = at.join("shared/data").join(path);
        if file.is_file() {
            return Some(std::fs::read_to_string(file).unwrap());
        }
    }
    println!("skipped: shared/data/{path} absent");
    None
}

/// Compares every cell with the lines of a CSV, heading first: single columns after rounding to single, NaN
/// equal to NaN. Returns how many cells were compared, or the first difference and how many there are.
pub fn compare<'a>(ours: &Table, mut theirs: impl Iterator<Item = &'a str>) -> Result<usize, String> {
    let names: Vec<_> = ours.columns().iter().map(|column| column.name).collect();
    let heading = theirs.next().unwrap_or_default();
    if heading != names.join(",") {
        return Err(format!("columns {names:?} for {heading}"));
    }
    let (mut rows, mut compared, mut differing, mut first) = (0, 0, 0, None);
    for line in theirs {
        if line.split(',').count() != names.len() || rows == ours.len() {
            return Err(format!("row {rows} of {}: {line}", ours.len()));
        }
        for (column, cell) in ours.columns().iter().zip(line.split(',')) {
            compared += 1;
            if !is_same(&column.cells, rows, cell) {
                differing += 1;
                let ours = column.cells.at(rows);
                first.get_or_insert_with(|| format!("row {rows} {}: {ours:?} for {cell:?}", column.name));
            }
        }
        rows += 1;
    }
    if rows != ours.len() {
        return Err(format!("{} rows for {rows}", ours.len()));
    }
    match first {
        None => Ok(compared),
        Some(first) => Err(format!("{differing} of {compared} cells differ, first {first}")),
    }
}

fn is_same(ours: &Cells, row: usize, cell: &str) -> bool {
    match ours {
        Cells::F64(cells) if cell.is_empty() => cells[row].is_nan(),
        Cells::F32(cells) if cell.is_empty() => cells[row].is_nan(),
        Cells::F64(cells) => cells[row] == cell.parse::<f64>().unwrap(),
        Cells::F32(cells) => cells[row] == cell.parse::<f32>().unwrap(),
    }
}

/// A random number generator with one word of state (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> i64 {
        (self.next() % n) as i64
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}
