//! What is left of a failed run on a server that ends with this program: a file
//! with its objects, which `detect` reads and `serve --load` serves. Secrets are not in
//! it: it is made to be handed on.

use std::fs;
use std::path::{Path, PathBuf};

use kube::Client;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::event::{RunResult, Verdict};
use crate::kinds;

/// Writes the objects of a failed run, if that is asked for, and says so in it.
pub(super) async fn keep(
    run: &mut RunResult,
    folder: Option<&Path>,
    client: &Client,
    namespace: &str,
) {
    let Some(folder) = folder.filter(|_| run.result == Verdict::Failed) else {
        return;
    };
    let file = folder.join(file_name(run));
    run.kept = Some(match write(&file, client, namespace).await {
        Ok(()) => format!(
            "{file}: the objects; fixname detect {file}, or fixname serve --play none --load {file}",
            file = file.display()
        ),
        Err(error) => format!("nothing: {error}"),
    });
}

async fn write(file: &Path, client: &Client, namespace: &str) -> Result<(), String> {
    let mut items = Vec::new();
    for kind in kinds::all().filter(|kind| kind.resource.kind != "Secret") {
        let api = kind.api(client, namespace);
        let named = |e: kube::Error| format!("list {}: {e}", kind.resource.plural);
        let list = api.list(&ListParams::default()).await.map_err(named)?;
        for mut object in list.items {
            object.types = Some(kube::core::TypeMeta {
                api_version: kind.resource.api_version.clone(),
                kind: kind.resource.kind.clone(),
            });
            object.metadata.managed_fields = None;
            items.push(json!(object));
        }
    }
    let list: Value = json!({"apiVersion": "v1", "kind": "List", "items": items});
    let text = serde_json::to_string_pretty(&list).map_err(|e| e.to_string())?;
    let failed = |e: std::io::Error| format!("write {}: {e}", file.display());
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    fs::write(file, text + "\n").map_err(failed)
}

/// A name for the file, from one that may hold anything.
fn file_name(run: &RunResult) -> PathBuf {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._=".contains(c);
    let name = run.name.trim_start_matches('.').chars();
    let name: String = name
        .map(|c| if plain(c) { c } else { '-' })
        .take(120)
        .collect();
    format!("{name}-{}-seed{}.json", run.longhorn, run.seed).into()
}
