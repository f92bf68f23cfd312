//! Cells: what stands in a column, and how the engine's words become cells and words again.
//!
//! Pure. A cell is exact: `from_cell(word.cell())` is the word, for every word there is.

use smc_core::words::Name;
use smc_core::{ClientOrderId, InstrumentId, Money, Price, Qty, Timeframe, TsNs};

/// What a column holds; decides its text in CSV and its type in Parquet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole number, 0 to 2^32 - 1.
    Small,
    /// Whole number, 0 to 2^64 - 1.
    Count,
    /// Whole number, -2^31 to 2^31 - 1.
    Code,
    /// Whole number, -2^63 to 2^63 - 1.
    Signed,
    /// Decimal number with eight decimals, exact.
    Decimal,
    /// Nanoseconds since 1970-01-01T00:00Z.
    Time,
    /// True or false.
    Flag,
    /// One of a closed list of words.
    Word,
    /// Any text.
    Text,
    /// Any bytes.
    Bytes,
}

/// One column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, the same in every format.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// It may hold nothing.
    pub is_nullable: bool,
    /// Of a [`Kind::Word`] column: all its words, by the engine's number.
    pub words: &'static [&'static str],
    /// Unit of its numbers; empty where there is none.
    pub unit: &'static str,
    /// What it means, in a sentence.
    pub doc: &'static str,
}

/// What stands in one column of one row. Texts that the engine keeps inline are kept inline here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// Of [`Kind::Small`] and [`Kind::Count`].
    Unsigned(u64),
    /// Of [`Kind::Code`] and [`Kind::Signed`].
    Signed(i64),
    /// In 1e-8.
    Decimal(i64),
    /// In nanoseconds.
    Time(u64),
    /// Of [`Kind::Flag`].
    Flag(bool),
    /// Of [`Kind::Word`] and [`Kind::Text`].
    Text(&'a str),
    /// A name of the engine's, as text.
    Name(Name),
    /// An order id, as text.
    OrderId(ClientOrderId),
    /// Of [`Kind::Bytes`].
    Bytes(&'a [u8]),
}

/// Room for the text of an inline cell.
pub type TextBuffer = [u8; ClientOrderId::TEXT_LEN];

impl Cell<'_> {
    /// The text of a cell that has one; `buffer` is where inline texts are spelled out.
    pub fn text<'b>(&'b self, buffer: &'b mut TextBuffer) -> Option<&'b str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Name(name) => Some(name.as_str()),
            Self::OrderId(id) => {
                *buffer = id.text();
                core::str::from_utf8(buffer).ok()
            }
            _ => None,
        }
    }
}

/// Why a row is not one of its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellError {
    /// Index of the column.
    pub column: usize,
}

/// Reads the cells of a row from the left.
pub struct Cells<'r, 'a> {
    cells: &'r [Cell<'a>],
    at: usize,
}

impl<'r, 'a> Cells<'r, 'a> {
    /// At the first.
    pub fn new(cells: &'r [Cell<'a>]) -> Self {
        Self { cells, at: 0 }
    }

    /// The next cell as the word that its column holds.
    pub fn take<V: Value>(&mut self) -> Result<V, CellError> {
        let cell = self.next()?;
        V::from_cell(cell).ok_or(self.wrong())
    }

    /// The next cell of a bytes column.
    pub fn bytes(&mut self) -> Result<&'a [u8], CellError> {
        match self.next()? {
            Cell::Bytes(bytes) => Ok(bytes),
            _ => Err(self.wrong()),
        }
    }

    /// The next cell of a text column, which must have one.
    pub fn text(&mut self) -> Result<&'a str, CellError> {
        match self.next()? {
            Cell::Text(text) => Ok(text),
            _ => Err(self.wrong()),
        }
    }

    /// Names the cell that was taken last.
    pub fn wrong(&self) -> CellError {
        CellError { column: self.at.saturating_sub(1) }
    }

    fn next(&mut self) -> Result<Cell<'a>, CellError> {
        let cell = self.cells.get(self.at).copied();
        self.at += 1;
        cell.ok_or(self.wrong())
    }
}

/// A word that stands in one column.
pub trait Value: Sized {
    /// What its column holds.
    const KIND: Kind;
    /// Its column may hold nothing.
    const IS_NULLABLE: bool = false;
    /// All words, of a [`Kind::Word`].
    const WORDS: &'static [&'static str] = &[];
    /// The cell that says it.
    fn cell(&self) -> Cell<'static>;
    /// The word that a cell says, if it says one.
    fn from_cell(cell: Cell<'_>) -> Option<Self>;
}

impl Column {
    /// A column for words like `example`.
    pub const fn of<V: Value>(
        name: &'static str,
        _example: &V,
        unit: &'static str,
        doc: &'static str,
    ) -> Self {
        Self { name, kind: V::KIND, is_nullable: V::IS_NULLABLE, words: V::WORDS, unit, doc }
    }

    /// A column that always holds something and has no list of words.
    pub const fn plain(name: &'static str, kind: Kind, unit: &'static str, doc: &'static str) -> Self {
        Self { name, kind, is_nullable: false, words: &[], unit, doc }
    }
}

/// Numbers, by the cell that holds them.
macro_rules! numbers {
    ($($number:ty: $kind:ident as $cell:ident),* $(,)?) => {$(
        impl Value for $number {
            const KIND: Kind = Kind::$kind;
            fn cell(&self) -> Cell<'static> {
                Cell::$cell((*self).into())
            }
            fn from_cell(cell: Cell<'_>) -> Option<Self> {
                match cell {
                    Cell::$cell(number) => number.try_into().ok(),
                    _ => None,
                }
            }
        }
    )*};
}
numbers!(u8: Small as Unsigned, u16: Small as Unsigned, u32: Small as Unsigned, u64: Count as Unsigned);
numbers!(i32: Code as Signed, i64: Signed as Signed, bool: Flag as Flag);

/// Newtypes over the number in the cell.
macro_rules! newtypes {
    ($($name:ident: $kind:ident),* $(,)?) => {$(
        impl Value for $name {
            const KIND: Kind = Kind::$kind;
            fn cell(&self) -> Cell<'static> {
                Cell::$kind(self.0)
            }
            fn from_cell(cell: Cell<'_>) -> Option<Self> {
                match cell {
                    Cell::$kind(number) => Some(Self(number)),
                    _ => None,
                }
            }
        }
    )*};
}
newtypes!(Price: Decimal, Qty: Decimal, Money: Decimal, TsNs: Time);

impl Value for InstrumentId {
    const KIND: Kind = Kind::Small;

    fn cell(&self) -> Cell<'static> {
        self.0.cell()
    }

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        Value::from_cell(cell).map(Self)
    }
}

impl Value for Timeframe {
    const KIND: Kind = Kind::Small;

    fn cell(&self) -> Cell<'static> {
        self.secs().cell()
    }

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        Self::from_secs(Value::from_cell(cell)?)
    }
}

impl Value for Name {
    const KIND: Kind = Kind::Text;

    fn cell(&self) -> Cell<'static> {
        Cell::Name(*self)
    }

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Name(name) => Some(name),
            Cell::Text(text) => Self::new(text),
            _ => None,
        }
    }
}

impl Value for ClientOrderId {
    const KIND: Kind = Kind::Text;

    fn cell(&self) -> Cell<'static> {
        Cell::OrderId(*self)
    }

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::OrderId(id) => Some(id),
            Cell::Text(text) => Self::parse(text.as_bytes()),
            _ => None,
        }
    }
}

impl<V: Value> Value for Option<V> {
    const KIND: Kind = V::KIND;
    const IS_NULLABLE: bool = true;
    const WORDS: &'static [&'static str] = V::WORDS;

    fn cell(&self) -> Cell<'static> {
        self.as_ref().map_or(Cell::Null, Value::cell)
    }

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            cell => V::from_cell(cell).map(Some),
        }
    }
}
