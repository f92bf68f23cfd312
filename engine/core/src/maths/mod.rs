//! Functions of mathematics that formulas need, the same bits on every machine: `libm` and fixed orders of operation.

pub mod beta;
