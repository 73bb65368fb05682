//! An embedded Kubernetes API server: in process or on loopback, deterministic, with a virtual clock
