//! The bars of a file, one array per column.

/// One bar as it stands in a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Its stamp as the file says it, read as if it were UTC: nanoseconds since 1970-01-01T00:00.
    pub time_ns: i64,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Volume, in whatever unit the file counts.
    pub volume: f64,
}

/// All bars of a file in its order. Stamps may repeat, leave holes or go back.
#[derive(Clone, Debug, Default)]
pub struct Bars {
    /// Invariant: all six are of one length; [`Bars::push`] is the only way in.
    pub(crate) time_ns: Vec<i64>,
    pub(crate) open: Vec<f64>,
    pub(crate) high: Vec<f64>,
    pub(crate) low: Vec<f64>,
    pub(crate) close: Vec<f64>,
    pub(crate) volume: Vec<f64>,
}

impl Bars {
    /// Appends a bar.
    pub fn push(&mut self, row: Row) {
        self.time_ns.push(row.time_ns);
        self.open.push(row.open);
        self.high.push(row.high);
        self.low.push(row.low);
        self.close.push(row.close);
        self.volume.push(row.volume);
    }

    /// The bars, one at a time.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = Row> + '_ {
        (0..self.len()).map(|at| Row {
            time_ns: self.time_ns[at],
            open: self.open[at],
            high: self.high[at],
            low: self.low[at],
            close: self.close[at],
            volume: self.volume[at],
        })
    }

    /// How many bars.
    pub const fn len(&self) -> usize {
        self.high.len()
    }

    /// No bar at all; every table is then empty too.
    pub const fn is_empty(&self) -> bool {
        self.high.is_empty()
    }
}

impl FromIterator<Row> for Bars {
    fn from_iter<I: IntoIterator<Item = Row>>(rows: I) -> Self {
        let mut bars = Self::default();
        rows.into_iter().for_each(|row| bars.push(row));
        bars
    }
}
