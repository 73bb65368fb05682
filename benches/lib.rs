//! Benchmarks of what users wait for: `cargo bench -p fixname-benches`.
