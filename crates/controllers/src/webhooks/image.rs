//! Backing images: what the mutator fills in, and what the validator refuses
//! (`webhook/resources/backingimage`).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cluster::{Cluster, Source};
use super::rules::Rules;
use super::url::{Url, is_loopback};
use super::{
    Patch, Patches, Refusal, Verdict, auto_correct, entries, finalizer, go, labels, name,
    not_found, number, text,
};

/// What every image is labelled with.
const LABELS: [(&str, &str); 2] = [
    ("longhorn.io/component", "backing-image"),
    ("longhorn.io/managed-by", "longhorn-manager"),
];

/// The version of an engine image's command line from which it can export an image.
const EXPORTING_CLI: i64 = 5;

fn parameters(image: &Value) -> BTreeMap<String, String> {
    let parameters = &image["spec"]["sourceParameters"];
    let texts = entries(parameters).map(|(key, value)| (key.clone(), text(value).to_owned()));
    texts.collect()
}

fn parameter<'a>(image: &'a Value, key: &str) -> &'a str {
    text(&image["spec"]["sourceParameters"][key])
}

/// The mutator, of a new image.
pub(super) fn fill_in(rules: &Rules, image: &Value, cluster: &Cluster) -> Patches {
    let spec = &image["spec"];
    let mut patches: Vec<Patch> = finalizer(rules, image).into_iter().collect();
    let corrected = auto_correct(name(image));
    if corrected != name(image) {
        patches.push(Patch::written_text("/metadata/name", &corrected));
    }
    let checksum = text(&spec["checksum"]).trim();
    patches.push(Patch::written_text("/spec/checksum", checksum));

    let mut parameters = parameters(image);
    for value in parameters.values_mut() {
        *value = value.trim().to_owned();
    }
    let is_missing = |parameters: &BTreeMap<String, String>, key: &str| {
        parameters.get(key).is_none_or(String::is_empty)
    };
    match text(&spec["sourceType"]) {
        "export-from-volume" if is_missing(&parameters, "export-type") => {
            parameters.insert("export-type".to_owned(), "raw".to_owned());
        }
        "restore" => {
            if is_missing(&parameters, "concurrent-limit") {
                let limit = cluster.setting_number(rules, "backup-concurrent-limit");
                let limit = limit.map_err(|why| {
                    // The word is another one before v1.10.0.
                    let what = if rules.looks_for_image_secrets {
                        "setting"
                    } else {
                        "value"
                    };
                    Refusal::internal(format!(
                        "failed to get backup-concurrent-limit {what}: {why}"
                    ))
                })?;
                parameters.insert("concurrent-limit".to_owned(), limit.to_string());
            }
            if rules.finds_backup_targets && is_missing(&parameters, "backup-target-name") {
                let url = parameters.get("backup-url").map_or("", String::as_str);
                let target = backup_target(url, cluster).map_err(Refusal::internal)?;
                parameters.insert("backup-target-name".to_owned(), target);
            }
        }
        "clone" => {
            if is_missing(&parameters, "encryption") {
                parameters.insert("encryption".to_owned(), "ignore".to_owned());
            }
            if parameters["encryption"] == "ignore" {
                let source = parameters.get("backing-image").map_or("", String::as_str);
                let Some(found) = cluster.get(Source::BackingImages, source) else {
                    return Err(Refusal::internal(format!(
                        "failed to get source backing image {source}: {}",
                        not_found("backingimage", source)
                    )));
                };
                for field in ["secret", "secretNamespace"] {
                    let value = text(&found["spec"][field]);
                    patches.push(Patch::written_text(format!("/spec/{field}"), value));
                }
                let checksum = text(&found["status"]["checksum"]);
                if checksum.is_empty() {
                    // Meant as a refusal, but what is returned wraps no error and so
                    // is none: nothing at all is filled in.
                    return Ok(Vec::new());
                }
                patches.push(Patch::written_text("/spec/checksum", checksum));
            } else {
                patches.push(Patch::replace("/spec/checksum", ""));
            }
        }
        _ => {}
    }
    patches.push(Patch::replace("/spec/sourceParameters", json!(parameters)));
    for map in ["disks", "diskFileSpecMap"] {
        if spec[map].is_null() {
            patches.push(Patch::replace(format!("/spec/{map}"), json!({})));
        }
    }
    if number(&spec["minNumberOfCopies"]) == 0 {
        let minimum = cluster.setting_number(rules, "default-min-number-of-backing-image-copies");
        let minimum = minimum.map_err(|why| {
            Refusal::invalid(format!("failed to get valid number for setting default min number of backing image copies: {why}"))
        })?;
        patches.push(Patch::replace("/spec/minNumberOfCopies", minimum));
    }
    if rules.images_have_an_engine && text(&spec["dataEngine"]).is_empty() {
        patches.push(Patch::replace("/spec/dataEngine", "v1"));
    }
    patches.push(labels(image, &LABELS));
    Ok(patches)
}

/// The mutator, of a change.
pub(super) fn fill_in_update(rules: &Rules, old: &Value, image: &Value) -> Patches {
    secrets_stay(old, image)?;
    let (before, spec) = (&old["spec"], &image["spec"]);
    if rules.images_have_an_engine && text(&before["dataEngine"]) != text(&spec["dataEngine"]) {
        return Err(Refusal::invalid(format!(
            "changing data engine for BackingImage {} is not supported",
            name(old)
        )));
    }
    let mut patches: Vec<Patch> = finalizer(rules, image).into_iter().collect();
    if text(&spec["sourceType"]).is_empty() {
        patches.push(Patch::replace("/spec/sourceType", "download"));
    }
    for map in ["disks", "diskFileSpecMap", "sourceParameters"] {
        if spec[map].is_null() {
            patches.push(Patch::replace(format!("/spec/{map}"), json!({})));
        }
    }
    Ok(patches)
}

fn secrets_stay(old: &Value, image: &Value) -> Verdict {
    for (field, word) in [
        ("secret", "secret"),
        ("secretNamespace", "secret namespace"),
    ] {
        let before = text(&old["spec"][field]);
        if !before.is_empty() && before != text(&image["spec"][field]) {
            return Err(Refusal::invalid(format!(
                "changing {word} for BackingImage {} is not supported",
                name(old)
            )));
        }
    }
    Ok(())
}

/// `findBackupTargetName`: that of the backup which the URL belongs to.
fn backup_target(url: &str, cluster: &Cluster) -> Result<String, String> {
    let wanted = backup(url).map_err(|why| format!("failed to parse backup URL {url}: {why}"))?;
    let mut backups = cluster.list(Source::BackupBackingImages);
    let found = backups.find(|b| backup(text(&b["status"]["url"])).as_ref() == Ok(&wanted));
    match found {
        Some(backup) => Ok(text(&backup["spec"]["backupTargetName"]).to_owned()),
        None => Err(format!(
            "no matching backup found for URL {} and backing image {}",
            wanted.0, wanted.1
        )),
    }
}

/// The URL of the backup target, and the name of the image.
fn backup(text: &str) -> Result<(String, String), String> {
    let url = Url::new(text).map_err(|why| format!("failed to parse backup URL {text}: {why}"))?;
    let image = url.parameter("backingImage");
    if image.is_empty() {
        return Err(format!(
            "backup URL {text} is missing required 'backingImage' parameter"
        ));
    }
    if !["cifs", "nfs", "azblob", "s3"].contains(&url.scheme.as_str()) {
        return Err(format!("unsupported backupURL scheme {}", url.scheme));
    }
    Ok((url.without_query(), image))
}

/// The validator, of a new image.
pub(super) fn create(rules: &Rules, image: &Value, cluster: &Cluster) -> Verdict {
    let spec = &image["spec"];
    if rules.refuses_v2_images && spec["dataEngine"] == "v2" {
        return Err(Refusal::invalid("v2 backing image is not supported"));
    }
    let (secret, namespace) = (text(&spec["secret"]), text(&spec["secretNamespace"]));
    let has_secret = !secret.is_empty() || !namespace.is_empty();
    if rules.looks_for_image_secrets && has_secret && !cluster.has_secret(namespace, secret) {
        return Err(Refusal::invalid(format!(
            "failed to get secret {secret} in namespace {namespace} for the backing image {}",
            name(image)
        )));
    }
    if !is_name(name(image)) {
        return Err(Refusal::invalid(format!("invalid name {}", name(image))));
    }
    let checksum = text(&spec["checksum"]);
    if !checksum.is_empty() && !is_sha512(checksum) {
        return Err(Refusal::invalid(format!("invalid checksum {checksum}")));
    }
    enough_copies(image)?;
    match text(&spec["sourceType"]) {
        "clone" => clone(rules, image, cluster),
        "download" => download(rules, image),
        "export-from-volume" => export(rules, image, cluster),
        _ => Ok(()),
    }
}

/// `^[a-z0-9][a-z0-9_.-]+$`: at least two characters.
fn is_name(name: &str) -> bool {
    let is_first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() > 1
        && name.starts_with(is_first)
        && name.chars().all(|c| is_first(c) || "_.-".contains(c))
}

/// 128 hex digits, the letters in lower case.
fn is_sha512(text: &str) -> bool {
    text.len() == 128 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The bound that is named is the setting's maximum, which it has not: always 0.
fn enough_copies(image: &Value) -> Verdict {
    let copies = number(&image["spec"]["minNumberOfCopies"]);
    if copies < 1 {
        return Err(Refusal::invalid(format!(
            "minimum number of backing image copies {copies} must larger than 0"
        )));
    }
    Ok(())
}

fn invalid_parameters(image: &Value) -> Refusal {
    Refusal::invalid(format!(
        "invalid parameter {} for source type {}",
        go::map(&parameters(image)),
        text(&image["spec"]["sourceType"])
    ))
}

fn download(rules: &Rules, image: &Value) -> Verdict {
    let url = parameter(image, "url");
    if !rules.checks_download_urls {
        return if url.is_empty() {
            Err(invalid_parameters(image))
        } else {
            Ok(())
        };
    }
    let refuse = |why: String| Err(Refusal::invalid_field(why, "spec.sourceParameters[url]"));
    if url.is_empty() {
        return refuse("download URL is not provided".to_owned());
    }
    match Url::request(url) {
        Err(why) => refuse(format!("invalid download URL: {why}")),
        Ok(parsed) if !matches!(parsed.scheme.as_str(), "http" | "https") => refuse(format!(
            "invalid download URL scheme {}",
            go::quote(&parsed.scheme)
        )),
        Ok(parsed) if is_loopback(parsed.hostname()) => {
            refuse("download URL must not target a loopback address".to_owned())
        }
        Ok(_) => Ok(()),
    }
}

fn export(rules: &Rules, image: &Value, cluster: &Cluster) -> Verdict {
    let volume_name = parameter(image, "volume-name");
    if volume_name.is_empty() {
        return Err(invalid_parameters(image));
    }
    let Some(volume) = cluster.get(Source::Volumes, volume_name) else {
        return Err(Refusal::invalid(format!(
            "failed to get volume {volume_name} before exporting backing image"
        )));
    };
    if rules.images_have_an_engine && volume["spec"]["dataEngine"] == "v2" {
        return Err(Refusal::invalid(
            "exported from a v2 volume is not supported",
        ));
    }
    if volume["status"]["robustness"] == "faulted" {
        return Err(Refusal::invalid(format!(
            "cannot export a backing image from faulted volume {volume_name}"
        )));
    }
    let engine = text(&volume["status"]["currentImage"]).trim();
    let engine = format!("ei-{}", &go::sha512(engine)[..8]);
    let Some(found) = cluster.get(Source::EngineImages, &engine) else {
        return Err(Refusal::invalid(format!(
            "failed to get then check engine image {engine} for volume {volume_name} before exporting backing image"
        )));
    };
    let cli = number(&found["status"]["cliAPIVersion"]);
    if cli < EXPORTING_CLI {
        return Err(Refusal::invalid(format!(
            "engine image {engine} CLI version {cli} doesn't support this feature, please upgrade engine for volume {volume_name} before exporting backing image from the volume"
        )));
    }
    match parameter(image, "export-type") {
        "raw" | "qcow2" => Ok(()),
        other => Err(Refusal::invalid(format!("unsupported export type {other}"))),
    }
}

fn clone(rules: &Rules, image: &Value, cluster: &Cluster) -> Verdict {
    let source = cluster.get(Source::BackingImages, parameter(image, "backing-image"));
    let Some(source) = source else {
        return Err(invalid_parameters(image));
    };
    if rules.images_have_an_engine && source["spec"]["dataEngine"] == "v2" {
        return Err(Refusal::invalid(
            "clone from a v2 backing image is not supported",
        ));
    }
    let encryption = &image["spec"]["sourceParameters"]["encryption"];
    if encryption.is_null() {
        return Err(Refusal::invalid(
            "encryption should not be empty for cloning",
        ));
    }
    let encryption = text(encryption);
    let is_encrypted = !text(&source["spec"]["secret"]).is_empty();
    match encryption {
        "ignore" => return Ok(()),
        "encrypt" if is_encrypted => {
            return Err(Refusal::invalid(format!(
                "cannot re-encrypt the backing image, {} is already encrypted",
                name(source)
            )));
        }
        "decrypt" if !is_encrypted => {
            return Err(Refusal::invalid(format!(
                "cannot re-decrypt the backing image, {} is already decrypted",
                name(source)
            )));
        }
        "encrypt" | "decrypt" => {}
        other => {
            return Err(Refusal::invalid(format!(
                "encryption {other} is not supported"
            )));
        }
    }
    let (secret, namespace) = (
        parameter(image, "secret"),
        parameter(image, "secret-namespace"),
    );
    if secret.is_empty() || namespace.is_empty() {
        return Err(Refusal::invalid(
            "secret is not provided for encryption or decryption during cloneing",
        ));
    }
    if !cluster.has_secret(namespace, secret) {
        return Err(Refusal::invalid(format!(
            "failed to get the secret {secret} in the namespace {namespace}"
        )));
    }
    Ok(())
}

/// The validator, of a change.
pub(super) fn update(rules: &Rules, old: &Value, image: &Value) -> Verdict {
    enough_copies(image)?;
    secrets_stay(old, image)?;
    if image["spec"]["sourceType"] == "download" {
        download(rules, image)?;
    }
    Ok(())
}

/// The validator, of a deletion: any replica with the label counts, in any state.
pub(super) fn delete(rules: &Rules, image: &Value, cluster: &Cluster) -> Verdict {
    let image = name(image);
    let label = ("longhorn.io/backing-image", image);
    let replicas = cluster
        .select(rules, Source::Replicas, label)
        .map_err(|why| {
            Refusal::invalid(format!(
                "cannot delete backing image {image} since the error {why}"
            ))
        })?;
    if rules.keeps_images_in_use && !replicas.is_empty() {
        return Err(Refusal::invalid(format!(
            "cannot delete backing image {image} since there are replicas using it"
        )));
    }
    Ok(())
}
