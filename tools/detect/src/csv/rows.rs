//! The rows of a file, one after the other.

use super::error::{CsvError, CsvFault, shortened};
use super::fields::split;
use super::layout::{Layout, TimeColumn};
use super::number::Cell;
use super::time;
use smc_core::words::TsNs;
use std::io::{BufRead, Read};

/// One line as it reads; whether it can be a bar is for others to say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// In the file, from 1.
    pub line: u64,
    /// As the file stamps it: in nearly all files the moment the bar opened.
    pub time: TsNs,
    /// First price.
    pub open: Cell,
    /// Highest price.
    pub high: Cell,
    /// Lowest price.
    pub low: Cell,
    /// Last price.
    pub close: Cell,
    /// Volume; 0 where the file has none.
    pub volume: Cell,
}

/// Streams rows.
pub struct Rows<R> {
    source: R,
    layout: Layout,
    line: u64,
    text: Vec<u8>,
    /// The first line was a bar and is still to be given.
    is_first_pending: bool,
    /// After a fault nothing more is read.
    is_over: bool,
    has_row: bool,
    is_lenient: bool,
}

/// Longer lines are no rows of bars.
const LINE_LEN_MAX: u64 = 1 << 16;
const NAMES: [&str; 4] = ["open", "high", "low", "close"];

impl<R: BufRead> Rows<R> {
    /// Reads up to the header or the first bar.
    pub fn new(source: R) -> Result<Self, CsvError> {
        let mut lines = Lines { source, line: 0, text: Vec::new() };
        loop {
            if !lines.read()? {
                return Err(CsvError { line: 0, fault: CsvFault::Empty });
            }
            if lines.line == 1 && is_utf16(&lines.text) {
                return Err(lines.error(CsvFault::Utf16));
            }
            let text = lines.str()?;
            if is_preamble(text) {
                continue;
            }
            let layout = match Layout::of(text) {
                Ok(layout) => layout,
                Err(fault) => return Err(lines.error(fault)),
            };
            let Lines { source, line, text } = lines;
            let is_first_pending = !layout.has_header;
            return Ok(Self {
                source,
                layout,
                line,
                text,
                is_first_pending,
                is_over: false,
                has_row: false,
                is_lenient: false,
            });
        }
    }

    /// Goes on behind a row that cannot be read; without this reading ends there.
    pub const fn lenient(mut self) -> Self {
        self.is_lenient = true;
        self
    }

    fn read(&mut self) -> Result<Option<Row>, CsvError> {
        loop {
            if !std::mem::take(&mut self.is_first_pending) {
                let mut lines =
                    Lines { source: &mut self.source, line: self.line, text: std::mem::take(&mut self.text) };
                let is_some = lines.read();
                (self.line, self.text) = (lines.line, lines.text);
                if !is_some? {
                    let fault = CsvFault::HeaderOnly;
                    return if self.has_row { Ok(None) } else { Err(CsvError { line: self.line, fault }) };
                }
            }
            let text = text_of(&self.text).ok_or_else(|| self.error(CsvFault::NotText))?;
            if text.trim().is_empty() {
                continue;
            }
            let row = self.row(text).map_err(|fault| self.error(fault))?;
            self.has_row = true;
            return Ok(Some(row));
        }
    }

    fn row(&self, text: &str) -> Result<Row, CsvFault> {
        let Layout { separator, columns, .. } = self.layout;
        let mut fields = [""; COLUMNS_MAX];
        let mut got = 0;
        for field in split(text, separator) {
            if let Some(slot) = fields.get_mut(got) {
                *slot = field;
            }
            got += 1;
        }
        // A separator at the end of the line makes no column.
        let is_trailing = got == columns + 1 && fields.get(columns).is_some_and(|field| field.is_empty());
        if got != columns && !is_trailing {
            return Err(CsvFault::Columns { expected: columns, got });
        }
        let at = |index: usize| fields.get(index).copied().unwrap_or("");
        let time = match self.layout.time {
            TimeColumn::One(index) => {
                time::parse(at(index)).ok_or_else(|| CsvFault::Time(shortened(at(index))))?
            }
            TimeColumn::Split(date, clock) => time::parse_split(at(date), at(clock))
                .ok_or_else(|| CsvFault::Time(shortened(&format!("{} {}", at(date), at(clock)))))?,
        };
        let number = |index: usize, column: &'static str| {
            let cell = Cell::parse(at(index), separator != ',');
            cell.ok_or_else(|| CsvFault::Number { column, found: shortened(at(index)) })
        };
        let mut prices = [Cell::Missing; 4];
        for ((price, index), name) in prices.iter_mut().zip(self.layout.prices).zip(NAMES) {
            *price = number(index, name)?;
        }
        let volume = match self.layout.volume {
            Some(index) => number(index, "volume")?,
            None => Cell::Number(smc_core::words::Price(0), 0.0),
        };
        let [open, high, low, close] = prices;
        Ok(Row { line: self.line, time, open, high, low, close, volume })
    }

    fn error(&self, fault: CsvFault) -> CsvError {
        CsvError { line: self.line, fault }
    }
}

/// Columns that are looked at; the layout never names one beyond.
const COLUMNS_MAX: usize = 256;

impl<R: BufRead> Iterator for Rows<R> {
    type Item = Result<Row, CsvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let row = self.read().transpose();
        self.is_over = match &row {
            Some(Ok(_)) => false,
            Some(Err(error)) => !self.is_lenient || !error.fault.is_of_one_row(),
            None => true,
        };
        row
    }
}

struct Lines<R> {
    source: R,
    line: u64,
    text: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// The next line, without its end; false when there is none.
    fn read(&mut self) -> Result<bool, CsvError> {
        self.text.clear();
        self.line += 1;
        let mut limited = self.source.by_ref().take(LINE_LEN_MAX);
        match limited.read_until(b'\n', &mut self.text) {
            Ok(0) => {
                self.line -= 1;
                return Ok(false);
            }
            Ok(len) if len as u64 == LINE_LEN_MAX => return Err(self.error(CsvFault::LineTooLong)),
            Ok(_) => {}
            Err(error) => return Err(self.error(CsvFault::Io(error))),
        }
        while self.text.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            self.text.pop();
        }
        Ok(true)
    }

    fn str(&self) -> Result<&str, CsvError> {
        text_of(&self.text).ok_or_else(|| self.error(CsvFault::NotText))
    }

    fn error(&self, fault: CsvFault) -> CsvError {
        CsvError { line: self.line, fault }
    }
}

fn text_of(bytes: &[u8]) -> Option<&str> {
    const BOM: &[u8] = b"\xef\xbb\xbf";
    std::str::from_utf8(bytes.strip_prefix(BOM).unwrap_or(bytes)).ok()
}

fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff])
}

/// Lines that some sites and programs put before the header.
fn is_preamble(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || ["#", "http", "sep="].iter().any(|start| text.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn rows(text: &str) -> Result<Vec<Row>, String> {
        let rows = Rows::new(Cursor::new(text.as_bytes())).map_err(|error| error.to_string())?;
        rows.collect::<Result<_, _>>().map_err(|error| error.to_string())
    }

    fn error(text: &str) -> String {
        rows(text).expect_err(text)
    }

    #[test]
    fn rows_keep_their_line_numbers() {
        let text =
            "\u{feff}# made by hand\nTime,Open,High,Low,Close\r\n\r\n60,1,2,0.5,1.5\n120,1,NaN,,inf,\n";
        let rows = rows(text).unwrap();
        assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [4, 5]);
        assert_eq!(rows[0].time, TsNs(60_000_000_000));
        assert_eq!(rows[0].volume.float(), 0.0);
        assert_eq!(
            [rows[1].high, rows[1].low, rows[1].close],
            [Cell::Missing, Cell::Missing, Cell::Infinite]
        );
    }

    #[test]
    fn a_first_row_without_header_is_not_lost() {
        let rows = rows(
            "1706693400000,1,2,0.5,1.5,10,1706693459999,15,3,5,7,0\n1706693460000,1,2,0.5,1.5,11,1,1,1,1,1,0",
        )
        .unwrap();
        assert_eq!(
            rows.iter().map(|row| (row.line, row.volume.float())).collect::<Vec<_>>(),
            [(1, 10.0), (2, 11.0)]
        );
    }

    #[test]
    fn malformed_files_say_line_and_reason() {
        assert_eq!(error(""), "the file is empty");
        assert_eq!(error("\n\n"), "the file is empty");
        assert_eq!(error("time,open,high,low,close\n"), "line 1: a header and no bars");
        assert_eq!(error("t,o,h,l,c\n60,1,2,1,2\n120,1,x1,1,2\n"), "line 3: high `x1` is no number");
        assert_eq!(error("t,o,h,l,c\n60,1,2,1\n"), "line 2: 4 columns where the first line has 5");
        assert!(error("t,o,h,l,c\nsoon,1,2,1,2\n").starts_with("line 2: time `soon` is not readable"));
        assert_eq!(error("a,b\n"), "line 1: no open column in `a,b`, and it is no bar either");
        let not_text = Rows::new(Cursor::new(b"t,o,h,l,c\n\xff\xff\n")).unwrap().next().unwrap();
        assert_eq!(not_text.unwrap_err().to_string(), "line 2: not UTF-8 text");
        let utf16 = Rows::new(Cursor::new(b"\xff\xfet\0,\0")).err().unwrap();
        assert_eq!(utf16.to_string(), "line 1: UTF-16 text; save it as UTF-8");
        let long = format!("t,o,h,l,c\n{}\n", "1".repeat(70_000));
        assert_eq!(error(&long), "line 2: the line is too long for a row of bars");
    }

    #[test]
    fn nothing_is_read_after_a_fault() {
        let mut rows = Rows::new(Cursor::new("t,o,h,l,c\nx,1,1,1,1\n60,1,1,1,1\n")).unwrap();
        assert!(rows.next().unwrap().is_err());
        assert!(rows.next().is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(rows) = Rows::new(Cursor::new(bytes)) {
                rows.for_each(drop);
            }
        }

        /// Bytes that look like a file get further than random ones.
        #[test]
        fn no_text_of_the_field_panics(text in "(t,o,h,l,c\n)?([-+0-9eE.:,;\"TZ na\n]|é){0,200}") {
            if let Ok(rows) = Rows::new(Cursor::new(text)) {
                rows.for_each(drop);
            }
        }

        #[test]
        fn no_gzip_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut whole = vec![0x1f, 0x8b, 8, 0];
            whole.extend(bytes);
            let source = super::super::source::unpacked(Cursor::new(whole)).unwrap();
            if let Ok(rows) = Rows::new(source) {
                rows.for_each(drop);
            }
        }
    }
}
