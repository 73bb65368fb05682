//! YAML in, for apply and for bodies sent as YAML.

use serde_json::Value;

/// Reads one YAML document as JSON.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    serde_saphyr::from_str::<Value>(text).map_err(|e| e.to_string())
}
