//! Bars from a file into structure events, tables and charts.
//!
//! | module | does |
//! |---|---|
//! | [`csv`] | reads bars as people have them |
//! | [`live`] | rows into the engine's live events, on one or more timeframes |
//! | [`json`] | an event as a line of JSON |
//! | [`chart`] | events as a picture |
//! | [`columns`] | the batch tables of the open Python package |
//! | [`cli`] | the command: flags, files, what goes where |

pub mod chart;
pub mod cli;
pub mod columns;
pub mod csv;
pub mod json;
pub mod live;
