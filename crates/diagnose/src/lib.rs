//! Findings about naming collisions in an inventory of a cluster
