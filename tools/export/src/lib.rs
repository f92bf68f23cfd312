//! A journal as tables of typed columns, and back: the schema once, for every file format.
//!
//! [`schema`] lists the tables and columns; [`row`] turns a record into a row and a row into the same record,
//! byte for byte; [`export`] and [`restore`] do that for whole journals, whatever the format of the files is.
//! [`csv`] is one format; Parquet is another, in a program of its own. `SCHEMA.md` is printed from [`schema`].

pub mod args;
pub mod cell;
pub mod csv;
mod document;
mod draft;
mod error;
pub mod export;
pub mod progress;
pub mod restore;
pub mod row;
pub mod schema;
mod words;

pub use document::document;
pub use draft::Draft;
pub use error::{ExportError, RestoreError};
