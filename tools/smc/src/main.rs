//! The `smc` command.

fn main() {}
