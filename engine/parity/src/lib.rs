//! The batch tables of the open Python package, to the cell.
