//! Backing image managers and data sources: the mutator fills in maps and the
//! finalizer. No validator looks at them, so anybody may delete or edit one
//! (`webhook/resources/backingimagemanager`, `backingimagedatasource`).

use serde_json::{Value, json};

use super::rules::Rules;
use super::{Patch, finalizer, text};

pub(super) fn fill_in(rules: &Rules, manager: &Value) -> Vec<Patch> {
    let mut patches = Vec::new();
    if manager["spec"]["backingImages"].is_null() {
        patches.push(Patch::replace("/spec/backingImages", json!({})));
    }
    patches.extend(finalizer(rules, manager));
    patches
}

pub(super) fn fill_in_source(rules: &Rules, source: &Value) -> Vec<Patch> {
    let mut patches = Vec::new();
    if text(&source["spec"]["sourceType"]).is_empty() {
        patches.push(Patch::replace("/spec/sourceType", "download"));
    }
    if source["spec"]["parameters"].is_null() {
        patches.push(Patch::replace("/spec/parameters", json!({})));
    }
    patches.extend(finalizer(rules, source));
    patches
}
