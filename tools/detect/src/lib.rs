//! Bars from a file into structure events, tables and charts.
