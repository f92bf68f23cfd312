//! Bars from a file into structure events, tables and charts.
//!
//! | module | does |
//! |---|---|
//! | [`csv`] | reads bars as people have them |

pub mod csv;
