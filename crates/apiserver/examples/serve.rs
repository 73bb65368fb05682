//! Serves on loopback with definitions from files, for a look with kubectl:
//! `cargo run --example serve -- KUBECONFIG [FILE…]`. Lines with Helm templates
//! and conversion webhooks in the files are left out.

use std::path::PathBuf;

use fixname_apiserver::{ApiServer, ServeOptions, SystemClock};
use kube::api::{Api, DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let kubeconfig = PathBuf::from(args.next().ok_or("name a file for the kubeconfig")?);
    let server = ApiServer::builder().clock(SystemClock).build();
    let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let definitions: Api<DynamicObject> =
        Api::all_with(server.client("default"), &ApiResource::from_gvk(&kind));
    for file in args {
        let text = std::fs::read_to_string(&file)?;
        let plain: String = text
            .lines()
            .filter(|line| !line.contains("{{"))
            .map(|line| format!("{line}\n"))
            .collect();
        for document in plain.split("\n---\n").filter(|d| d.contains("kind:")) {
            let mut object: DynamicObject = serde_saphyr::from_str(document)?;
            object.data["spec"]["conversion"] = serde_json::json!({"strategy": "None"});
            definitions.create(&PostParams::default(), &object).await?;
        }
    }
    let serving = server.serve(ServeOptions::default()).await?;
    serving.write_kubeconfig(&kubeconfig)?;
    println!("{}", serving.url());
    std::future::pending::<()>().await;
    Ok(())
}
