//! Longhorn's custom resources, their CRDs, and the inventory of one cluster at one moment
