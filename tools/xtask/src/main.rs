//! One command for each wish.

fn main() {}
