//! placeholder
/// x
pub struct ControlPlaneBackend;
