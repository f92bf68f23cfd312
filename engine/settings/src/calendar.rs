//! `[calendar]`: trading days and sessions by the names people use, resolved into the core's tables.
