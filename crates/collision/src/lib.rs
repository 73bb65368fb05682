//! Exact collision odds of names derived from disk UUIDs
