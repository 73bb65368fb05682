//! The `fixname` program.
fn main() {}
