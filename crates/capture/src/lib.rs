//! Reads clusters' objects from files into an inventory
