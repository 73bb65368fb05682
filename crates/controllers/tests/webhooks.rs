//! Rules of Longhorn's webhooks that no recorded row shows, each from the source of
//! the release named (`webhook/resources/…` of longhorn-manager).

use fixname_controllers::webhooks::{Cluster, Operation, Refusal, Request, Source, Webhooks};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

struct Case {
    version: &'static str,
    resource: &'static str,
    old: Value,
    new: Value,
    cluster: Cluster,
}

fn case(version: &'static str, resource: &'static str, old: Value, new: Value) -> Case {
    Case {
        version,
        resource,
        old,
        new,
        cluster: Cluster::default(),
    }
}

impl Case {
    fn with(mut self, source: Source, object: Value) -> Self {
        self.cluster.add(source, [object]);
        self
    }

    /// The mutator, then the validator, as a server asks them.
    fn answer(&self) -> Result<Value, Refusal> {
        let webhooks = Webhooks::of(&self.version.parse().expect("it is a version"))
            .expect("the version is known");
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut new = self.new.clone();
        let request = |new| Request {
            operation: match (self.old.is_null(), self.new.is_null()) {
                (true, _) => Operation::Create,
                (false, true) => Operation::Delete,
                (false, false) => Operation::Update,
            },
            resource: self.resource,
            subresource: "",
            old: &self.old,
            new,
        };
        let patch = webhooks.mutate(&request(&self.new), &self.cluster, &mut rng)?;
        fixname_controllers::webhooks::apply(&mut new, &patch).expect("the patch applies");
        webhooks.validate(&request(&new), &self.cluster, &mut rng)?;
        Ok(new)
    }

    #[track_caller]
    fn refused(&self, code: u16, message: &str) {
        let refusal = self.answer().expect_err(message);
        assert_eq!((refusal.code, refusal.message.as_str()), (code, message));
    }

    #[track_caller]
    fn allowed(&self) -> Value {
        match self.answer() {
            Ok(object) => object,
            Err(refusal) => panic!("{refusal:?}"),
        }
    }
}

fn named(name: &str, mut rest: Value) -> Value {
    rest["metadata"]["name"] = json!(name);
    rest
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "json! at the place of the call"
)]
fn image(spec: Value) -> Value {
    let mut image = json!({"metadata": {"name": "parrot"}, "spec": {"minNumberOfCopies": 1}});
    for (key, value) in spec.as_object().expect("a spec is a map") {
        image["spec"][key] = value.clone();
    }
    image
}

fn new_image(version: &'static str, spec: Value) -> Case {
    case(version, "backingimages", Value::Null, image(spec))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "json! at the place of the call"
)]
fn clone(parameters: Value) -> Value {
    json!({"sourceType": "clone", "sourceParameters": parameters})
}

#[test]
fn clones_take_over_secret_and_checksum_or_need_a_secret_of_their_own() {
    let source = |secret: &str, checksum: &str| {
        named(
            "macaw",
            json!({"spec": {"secret": secret, "secretNamespace": ""}, "status": {"checksum": checksum}}),
        )
    };
    let sum = "a".repeat(128);
    let plain = new_image("v1.9.1", clone(json!({"backing-image": " macaw "})))
        .with(Source::BackingImages, source("", &sum))
        .allowed();
    assert_eq!(plain["spec"]["sourceParameters"]["encryption"], "ignore");
    assert_eq!(plain["spec"]["checksum"], json!(sum));

    new_image("v1.9.1", clone(json!({"backing-image": "owl"}))).refused(
        500,
        "failed to get source backing image owl: backingimage.longhorn.io \"owl\" not found",
    );
    // A source without a checksum: the mutator changes nothing and refuses nothing.
    new_image("v1.9.1", clone(json!({"backing-image": "macaw"})))
        .with(Source::BackingImages, source("", ""))
        .refused(422, "encryption should not be empty for cloning");
    let encrypting = |encryption: &str, secret: &str| {
        let parameters = json!({"backing-image": "macaw", "encryption": encryption, "secret": secret, "secret-namespace": secret});
        new_image("v1.9.1", clone(parameters))
    };
    encrypting("encrypt", "")
        .with(Source::BackingImages, source("s", &sum))
        .refused(
            422,
            "cannot re-encrypt the backing image, macaw is already encrypted",
        );
    encrypting("decrypt", "")
        .with(Source::BackingImages, source("", &sum))
        .refused(
            422,
            "cannot re-decrypt the backing image, macaw is already decrypted",
        );
    encrypting("encrypt", "")
        .with(Source::BackingImages, source("", &sum))
        .refused(
            422,
            "secret is not provided for encryption or decryption during cloneing",
        );
    encrypting("encrypt", "x")
        .with(Source::BackingImages, source("", &sum))
        .refused(422, "failed to get the secret x in the namespace x");
    encrypting("encrypt", "x")
        .with(Source::BackingImages, source("", &sum))
        .with(
            Source::Secrets,
            json!({"metadata": {"name": "x", "namespace": "x"}}),
        )
        .allowed();
    encrypting("rot13", "")
        .with(Source::BackingImages, source("", &sum))
        .refused(422, "encryption rot13 is not supported");
}

#[test]
fn exports_need_a_volume_that_can_be_exported() {
    let export = |more: Value| {
        let mut parameters = json!({"volume-name": "vol"});
        if let Value::Object(more) = more {
            more.into_iter().for_each(|(k, v)| parameters[k] = v);
        }
        new_image(
            "v1.9.1",
            json!({"sourceType": "export-from-volume", "sourceParameters": parameters}),
        )
    };
    let volume = |status: Value| named("vol", json!({"spec": {}, "status": status}));
    export(Value::Null).refused(
        422,
        "failed to get volume vol before exporting backing image",
    );
    export(Value::Null)
        .with(
            Source::Volumes,
            named("vol", json!({"spec": {"dataEngine": "v2"}})),
        )
        .refused(422, "exported from a v2 volume is not supported");
    export(Value::Null)
        .with(Source::Volumes, volume(json!({"robustness": "faulted"})))
        .refused(422, "cannot export a backing image from faulted volume vol");
    let healthy = || volume(json!({"currentImage": "longhornio/longhorn-engine:v1.9.1"}));
    let missing = export(Value::Null)
        .with(Source::Volumes, healthy())
        .answer()
        .unwrap_err();
    let engine = missing.message.split(' ').nth(7).unwrap_or_default();
    assert!(
        engine.starts_with("ei-") && engine.len() == 11,
        "{missing:?}"
    );
    let engine_image = |version: i64| named(engine, json!({"status": {"cliAPIVersion": version}}));
    let old = export(Value::Null)
        .with(Source::Volumes, healthy())
        .with(Source::EngineImages, engine_image(4));
    assert!(old.answer().unwrap_err().message.contains("CLI version 4"));
    let made = export(Value::Null)
        .with(Source::Volumes, healthy())
        .with(Source::EngineImages, engine_image(9))
        .allowed();
    assert_eq!(made["spec"]["sourceParameters"]["export-type"], "raw");
    export(json!({"export-type": "vmdk"}))
        .with(Source::Volumes, healthy())
        .with(Source::EngineImages, engine_image(9))
        .refused(422, "unsupported export type vmdk");
}

#[test]
fn restores_find_their_backup_target_from_v1_8_0() {
    let restore = |version, url: &str| {
        let parameters = json!({"backup-url": url});
        new_image(
            version,
            json!({"sourceType": "restore", "sourceParameters": parameters}),
        )
    };
    let url = "s3://backups@us-east-1/?backingImage=parrot";
    let made = restore("v1.7.2", url).allowed();
    assert_eq!(made["spec"]["sourceParameters"]["concurrent-limit"], "2");
    restore("v1.9.1", url).refused(
        500,
        "no matching backup found for URL s3://backups@us-east-1/ and backing image parrot",
    );
    restore("v1.9.1", "s3://backups@us-east-1/").refused(500, "failed to parse backup URL s3://backups@us-east-1/: backup URL s3://backups@us-east-1/ is missing required 'backingImage' parameter");
    let made = restore("v1.9.1", url)
        .with(
            Source::BackupBackingImages,
            named(
                "b",
                json!({"spec": {"backupTargetName": "default"}, "status": {"url": url}}),
            ),
        )
        .allowed();
    assert_eq!(
        made["spec"]["sourceParameters"]["backup-target-name"],
        "default"
    );
}

#[test]
fn an_image_is_checked_for_its_secret_its_engine_its_name_and_its_checksum() {
    let secret = || json!({"sourceType": "upload", "secret": "s", "secretNamespace": "n"});
    new_image("v1.9.1", secret()).allowed();
    new_image("v1.10.2", secret()).refused(
        422,
        "failed to get secret s in namespace n for the backing image parrot",
    );
    let v2 = || json!({"sourceType": "upload", "dataEngine": "v2"});
    new_image("v1.11.0", v2()).allowed();
    new_image("v1.12.0", v2()).refused(422, "v2 backing image is not supported");
    let upper = "A".repeat(128);
    let checksum = json!({"sourceType": "upload", "checksum": upper});
    new_image("v1.9.1", checksum).refused(422, &format!("invalid checksum {upper}"));
    let mut short = image(json!({"sourceType": "upload"}));
    short["metadata"]["name"] = json!("p");
    case("v1.9.1", "backingimages", Value::Null, short).refused(422, "invalid name p");
    let filled = new_image(
        "v1.9.1",
        json!({"sourceType": "upload", "minNumberOfCopies": 0}),
    );
    assert_eq!(filled.allowed()["spec"]["minNumberOfCopies"], 3);
    let setting = json!({"value": "2"});
    let name = "default-min-number-of-backing-image-copies";
    let filled = filled.with(Source::Settings, named(name, setting));
    assert_eq!(filled.allowed()["spec"]["minNumberOfCopies"], 2);
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "json! at the place of the call"
)]
fn node(spec: Value) -> Value {
    let mut node = named(
        "node-1",
        json!({"spec": {"name": "node-1", "disks": {}, "tags": []}}),
    );
    for (key, value) in spec.as_object().expect("a spec is a map") {
        node["spec"][key] = value.clone();
    }
    node
}

#[test]
fn tags_must_be_qualified_names() {
    let tagged = |version, tag: &str| {
        case(
            version,
            "nodes",
            node(json!({})),
            node(json!({"tags": [tag]})),
        )
    };
    let start = "at least one error encountered while validating tags: ";
    for (version, tag, why) in [
        ("v1.9.1", "", "name part must be non-empty"),
        ("v1.9.1", "/x", "prefix part must be non-empty"),
    ] {
        tagged(version, tag).refused(422, &format!("{start}{why}"));
    }
    let long = "x".repeat(64);
    for (version, unit) in [("v1.10.2", "characters"), ("v1.11.0", "bytes")] {
        let why = format!("{start}name part must be no more than 63 {unit}");
        tagged(version, &long).refused(422, &why);
    }
    let refusal = tagged("v1.9.1", "a/b/c").answer().unwrap_err();
    assert!(refusal.message.contains("a qualified name must consist of"));
    tagged("v1.9.1", "example.com/ssd").allowed();
}

#[test]
fn the_cpu_that_a_node_asks_for_is_within_the_settings_bounds() {
    let asks = |version, request: i64| {
        case(
            version,
            "nodes",
            node(json!({})),
            node(json!({"instanceManagerCPURequest": request})),
        )
    };
    let kubernetes = || named("node-1", json!({"status": {"allocatable": {"cpu": "4"}}}));
    asks("v1.9.1", -1).refused(
        422,
        "instanceManagerCPURequest should be greater than or equal to 0",
    );
    // Without the Kubernetes node there is nothing to compare with.
    asks("v1.12.1", 4000).allowed();
    asks("v1.8.1", 2000).with(Source::KubernetesNodes, kubernetes()).refused(422, "invalid requested instance manager CPUs. Valid instance manager CPU range between 0 - 40 millicpu");
    asks("v1.9.1", 2000)
        .with(Source::KubernetesNodes, kubernetes())
        .allowed();
    let refusal = asks("v1.10.2", 2000)
        .with(Source::KubernetesNodes, kubernetes())
        .answer()
        .unwrap_err();
    let text = (refusal.message)
        .strip_prefix("value 50.00 of settings guaranteed-instance-manager-cpu is invalid: ");
    // Engines come in the order of a Go map.
    let mut engines: Vec<_> = text.unwrap_or_default().lines().collect();
    engines.sort_unstable();
    let expected = ["v1", "v2"].map(|engine| {
        format!("value 50 for data engine {engine} should be less than or equal to 40")
    });
    assert_eq!(engines, expected, "{refusal:?}");
    assert_eq!(refusal.code, 422);
    asks("v1.10.2", 1000)
        .with(Source::KubernetesNodes, kubernetes())
        .allowed();
}

#[test]
fn block_disks_need_the_v2_engine_and_reserve_storage_from_v1_8_0() {
    let with_disk = |version, disk: Value| {
        case(
            version,
            "nodes",
            Value::Null,
            node(json!({"disks": {"d": disk}})),
        )
    };
    let on = || named("v2-data-engine", json!({"value": "true"}));
    let reserving = || json!({"diskType": "block", "path": "/dev/x", "storageReserved": 1});
    with_disk("v1.7.2", reserving())
        .with(Source::Settings, on())
        .refused(422, "disk d type block is not supported to reserve storage");
    let made = with_disk("v1.8.1", reserving())
        .with(Source::Settings, on())
        .allowed();
    assert_eq!(made["spec"]["disks"]["d"]["diskDriver"], "auto");
    let disks = json!({"d": reserving()});
    case(
        "v1.9.1",
        "nodes",
        node(json!({})),
        node(json!({"disks": disks})),
    )
    .refused(422, "update disk on node node-1 error: The disk d(/dev/x) is a block device, but the SPDK feature is not enabled");
}

#[test]
fn a_node_is_deleted_only_when_it_is_gone_and_empty() {
    let gone = |reason: &str| {
        let ready = json!({"type": "Ready", "status": "False", "reason": reason});
        let mut node = node(json!({"allowScheduling": false}));
        node["status"] = json!({"conditions": [ready]});
        node
    };
    let delete = |node| case("v1.10.2", "nodes", node, Value::Null);
    delete(gone("ManagerPodMissing")).allowed();
    delete(gone("KubernetesNodeNotReady")).refused(422, "could not delete node node-1 with node ready condition is False, reason is KubernetesNodeNotReady, node schedulable false, and 0 replica, 0 engine running on it");
    let engine = json!({"metadata": {"name": "e", "labels": {"longhornnode": "node-1"}}});
    let refused = delete(gone("KubernetesNodeGone")).with(Source::Engines, engine);
    assert!(refused.answer().unwrap_err().message.contains("1 engine"));
    let mut uninstalled = node(json!({"allowScheduling": true}));
    uninstalled["metadata"]["annotations"]["longhorn.io/delete-node-from-longhorn"] = json!("");
    delete(uninstalled).allowed();
}

#[test]
fn replicas_keep_engine_and_linked_source() {
    let replica = |spec: Value| named("vol-r-1", json!({"spec": spec}));
    let update = |version, old, new| case(version, "replicas", replica(old), replica(new));
    update(
        "v1.9.1",
        json!({"dataEngine": "v1"}),
        json!({"dataEngine": "v2"}),
    )
    .refused(
        422,
        "changing data engine for replica vol-r-1 is not supported",
    );
    let linked = || json!({"linkedCloneSrcReplicaName": "a"});
    update("v1.11.0", linked(), json!({})).allowed();
    update("v1.12.1", linked(), json!({}))
        .refused(422, "spec.linkedCloneSrcReplicaName is immutable once set");
    let new = |version, engine: &str| {
        let spec = json!({"dataEngine": engine});
        case(version, "replicas", Value::Null, replica(spec))
    };
    new("v1.9.1", "v2").refused(403, "v2-data-engine data engine is not enabled");
    let label = json!({"longhorn.io/linked-clone-src-replica": "vol-r-1"});
    case(
        "v1.12.1",
        "replicas",
        replica(json!({"volumeName": "vol"})),
        Value::Null,
    )
    .with(
        Source::Replicas,
        json!({"metadata": {"name": "copy-r-1", "labels": label}}),
    )
    .refused(
        403,
        "cannot delete replica vol-r-1: it is the source of linked-clone replica(s) [copy-r-1]",
    );
}

fn setting(version: &'static str, name: &str, value: &str) -> Case {
    let object = |value: &str| named(name, json!({"value": value}));
    case(version, "settings", object("x"), object(value))
}

#[test]
fn settings_are_checked_by_their_definition() {
    setting("v1.9.1", "default-data-locality", "near").refused(422, "failed to set the setting default-data-locality with invalid value near: value near of settings default-data-locality is invalid: failed to validate the setting default-data-locality: value near is not a valid choice, available choices [disabled best-effort strict-local]");
    setting("v1.9.1", "v2-data-engine", "yes").refused(422, "failed to set the setting v2-data-engine with invalid value yes: value yes of settings v2-data-engine is invalid: failed to validate the setting v2-data-engine: value yes should be true or false");
    setting("v1.9.1", "backing-image-cleanup-wait-interval", "").refused(422, "failed to set the setting backing-image-cleanup-wait-interval with invalid value : value  of settings backing-image-cleanup-wait-interval is invalid: required setting backing-image-cleanup-wait-interval shouldn't be empty");
    setting("v1.9.1", "no-such-setting", "1")
        .refused(422, "setting no-such-setting does not exist");
    setting("v1.9.1", "current-longhorn-version", "v2")
        .refused(422, "setting current-longhorn-version is read-only");
    setting("v1.9.1", "snapshot-max-count", "251").refused(422, "failed to set the setting snapshot-max-count with invalid value 251: snapshot-max-count should be between 2 and 250");
    let deleted = named("snapshot-max-count", json!({"value": "5"}));
    case("v1.9.1", "settings", deleted, Value::Null).refused(
        422,
        "setting snapshot-max-count can be modified but not deleted",
    );
    let unknown = named("no-such-setting", json!({"value": "5"}));
    case("v1.9.1", "settings", unknown, Value::Null).allowed();
}

#[test]
fn a_value_for_all_engines_becomes_one_for_each_from_v1_10_0() {
    let name = "guaranteed-instance-manager-cpu";
    let made = setting("v1.10.2", name, " 15 ").allowed();
    assert_eq!(made["value"], r#"{"v1":"15","v2":"15"}"#);
    let refusal = setting("v1.10.2", name, r#"{"v1":"15","v2":"41"}"#)
        .answer()
        .unwrap_err();
    let end = "value 41 for data engine v2 should be less than or equal to 40";
    assert!(refusal.message.ends_with(end), "{refusal:?}");
    let refusal = setting("v1.10.2", name, r#"{"v1":"15"}"#)
        .answer()
        .unwrap_err();
    assert!(
        refusal
            .message
            .ends_with("mismatched data engines for setting Guaranteed Instance Manager CPU"),
        "{refusal:?}"
    );
    let made = setting("v1.12.1", "data-engine-cpu-mask", "0-1").allowed();
    assert_eq!(made["value"], r#"{"v2":"0x3"}"#);
}
