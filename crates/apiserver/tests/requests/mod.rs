//! Random requests to objects of one namespace, for `random.rs`: what may be
//! asked, with which weights; the kinds and their content are in [`kinds`]. A request names what it
//! needs from earlier answers by a placeholder (`@RV:w/a:1@` is the version
//! before the last of widget `a`), so that requests can be left out.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

pub mod kinds;

use kinds::kind;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// The group of the widgets.
pub const GROUP: &str = "random.example.io";

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
const MERGE: &str = "application/merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// A request with placeholders. A body `@EDIT:w/a@{…}` is the object as it was
/// last answered, with the members of the patch merged in.
#[derive(Debug, Clone)]
pub struct Step {
    pub method: &'static str,
    pub path: String,
    pub media: &'static str,
    pub body: String,
}

/// The requests of one seed.
pub fn sequence(seed: u64, length: usize) -> Vec<Step> {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
    (0..length).map(|_| dice.step()).collect()
}

struct Dice(ChaCha8Rng);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0.next_u64() % n
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        let at = self.below(of.len() as u64);
        of[usize::try_from(at).unwrap()].clone()
    }

    fn step(&mut self) -> Step {
        let kind = self.kind();
        let name = self.one(&["a", "a", "a", "b", "b", "c", "d.e"]);
        let name = &named(kind, name);
        match self.below(100) {
            0..18 => self.create(kind, name),
            18..20 => self.garbage(kind, name),
            20..34 => self.update(kind, name),
            34..57 => self.patch(kind, name),
            57..64 => self.status(kind, name),
            64..74 => self.delete(kind, name),
            74..77 => step("DELETE", &self.listed(kind, name), JSON, String::new()),
            77..81 => step("GET", &one(kind, name), JSON, String::new()),
            81..96 => self.list(kind, name),
            _ => self.watch(kind, name),
        }
    }

    /// Query members that any write can have.
    fn write_query(&mut self) -> String {
        let mut parts = Vec::new();
        if self.chance(10) {
            parts.push("dryRun=All".to_owned());
        }
        if self.chance(15) {
            let how = self.one(&["Strict", "Warn", "Ignore"]);
            parts.push(format!("fieldValidation={how}"));
        }
        if self.chance(25) {
            let who = self.one(&["m1", "m2"]);
            parts.push(format!("fieldManager={who}"));
        }
        query(&parts)
    }

    fn spec(&mut self) -> Value {
        let mut spec = self.valid_spec();
        if self.chance(15) {
            let (key, value) = self.one(&[
                ("size", json!(101)),
                ("size", json!(-1)),
                ("size", json!("x")),
                ("size", json!(1.5)),
                ("size", json!(null)),
                ("colour", json!("blue")),
                ("name", json!("ABC")),
                ("tags", json!(["a", "b", "c", "d"])),
                ("tags", json!([1])),
                ("parts", json!([{"id": "x"}, {"id": "x"}])),
                ("parts", json!([{"n": 1}])),
                ("disks", json!({"d1": {"evict": "no", "odd": 1}})),
                ("port", json!(true)),
                ("strict", json!({})),
                ("unknown", json!({"a": 1})),
            ]);
            spec[key] = value;
        }
        spec
    }

    fn valid_spec(&mut self) -> Value {
        let mut spec = json!({});
        for _ in 0..self.below(4) {
            let (key, value) = self.one(&[
                ("size", json!(1)),
                ("size", json!(2)),
                ("size", json!(3)),
                ("colour", json!("red")),
                ("colour", json!("green")),
                ("name", json!("abc")),
                ("mode", json!("slow")),
                ("mode", json!(null)),
                ("maybe", json!(null)),
                ("maybe", json!("x")),
                ("tags", json!([])),
                ("tags", json!(["x", "y"])),
                ("parts", json!([{"id": "p", "n": 1}])),
                ("parts", json!([{"id": "q"}, {"id": "p", "n": 2}])),
                ("disks", json!({"d1": {"evict": true}})),
                ("disks", json!({"d2": {"evict": false}, "d1": {}})),
                ("free", json!({"any": [1, {"b": 2}], "x": "y"})),
                ("port", json!(80)),
                ("port", json!("http")),
                ("strict", json!({"must": "m"})),
            ]);
            spec[key] = value;
        }
        spec
    }

    fn data(&mut self) -> Value {
        let mut data = json!({});
        for _ in 0..self.below(3) {
            let (key, value) = self.one(&[
                ("k", json!("1")),
                ("k", json!("2")),
                ("l", json!("x")),
                ("m.n", json!("")),
            ]);
            data[key] = value;
        }
        if self.chance(4) {
            let (key, value) = self.one(&[("bad key", json!("v")), ("k", json!(1))]);
            data[key] = value;
        }
        data
    }

    fn metadata(&mut self, name: &str) -> Value {
        let mut meta = json!({"name": name});
        if self.chance(50) {
            meta["labels"] = self.labels();
        }
        if self.chance(15) {
            meta["annotations"] =
                self.one(&[json!({"example.io/a": "1"}), json!({"n": ""}), json!({})]);
        }
        if self.chance(20) {
            meta["finalizers"] = self.one(&[
                json!(["example.io/f"]),
                json!(["example.io/f", "example.io/g"]),
            ]);
        }
        if self.chance(8) {
            let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "o",
                "uid": "11111111-2222-4333-8444-555555555555"});
            let mut chief = owner.clone();
            chief["controller"] = json!(true);
            let mut other = chief.clone();
            other["uid"] = json!("11111111-2222-4333-8444-666666666666");
            meta["ownerReferences"] = self.one(&[
                json!([owner]),
                json!([chief]),
                json!([chief, other]),
                json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "o"}]),
            ]);
        }
        if self.chance(3) {
            let (key, value) = self.one(&[
                ("labels", json!({"a b": "c"})),
                ("namespace", json!("other")),
                ("generation", json!(7)),
                ("creationTimestamp", json!(null)),
                ("creationTimestamp", json!("2020-01-01T00:00:00Z")),
                ("selfLink", json!("x")),
            ]);
            meta[key] = value;
        }
        meta
    }

    fn labels(&mut self) -> Value {
        self.one(&[
            json!({"k": "1"}),
            json!({"k": "2"}),
            json!({"k": "1", "l": "x"}),
            json!({"l": "y"}),
        ])
    }

    fn object(&mut self, key: &str, name: &str) -> Value {
        let mut object = self.content(key);
        object["apiVersion"] = json!(kind(key).api_version);
        object["kind"] = json!(kind(key).kind);
        object["metadata"] = self.metadata(name);
        if key == "job" && object["metadata"]["labels"].is_null() {
            // Without any, the real server writes them at the next change of nothing.
            object["metadata"]["labels"] = json!({"k": "1"});
        }
        if kind(key).custom {
            if self.chance(5) {
                object.as_object_mut().unwrap().remove("spec");
            }
            if self.chance(10) {
                object["status"] = json!({"phase": "p0"});
            }
        }
        object
    }

    fn version(&mut self, kind: &str, name: &str) -> String {
        let back = self.one(&[0, 0, 0, 1, 2]);
        format!("@RV:{kind}/{name}:{back}@")
    }

    fn create(&mut self, kind: &str, name: &str) -> Step {
        let mut object = self.object(kind, name);
        if self.chance(2) {
            object["metadata"]["resourceVersion"] = json!("999999999999");
        }
        if self.chance(3) {
            // The name is made of random letters, so nothing is stored.
            object["metadata"]["generateName"] = self.one(&[json!("gen-"), json!("G_"), json!(7)]);
            object["metadata"].as_object_mut().unwrap().remove("name");
            let path = format!("{}?dryRun=All", all(kind));
            return step("POST", &path, JSON, object.to_string());
        }
        let path = format!("{}{}", all(kind), self.write_query());
        let mut body = object.to_string();
        if self.chance(2) {
            body = body.replacen('{', "{\"kind\":\"Other\",\"odd\":1,\"odd\":2,", 1);
        }
        let media = if body.contains("\"odd\"") || !self.chance(8) {
            JSON
        } else {
            YAML
        };
        step("POST", &path, media, body)
    }

    /// What no client should send.
    fn garbage(&mut self, key: &str, name: &str) -> Step {
        let typed = |more: Value| {
            let mut object = json!({"apiVersion": kind(key).api_version, "kind": kind(key).kind,
                "metadata": {"name": name}});
            for (member, value) in more.as_object().unwrap() {
                object["metadata"][member] = value.clone();
            }
            object.to_string()
        };
        let mut other = json!({"apiVersion": kind(key).api_version, "kind": "Other", "metadata": {"name": name}});
        let other_kind = other.to_string();
        other["kind"] = json!(kind(key).kind);
        other["apiVersion"] = json!("example.io/v9");
        let body = self.one(&[
            String::new(),
            "{".to_owned(),
            "[]".to_owned(),
            "null".to_owned(),
            "{}".to_owned(),
            "5".to_owned(),
            other_kind,
            other.to_string(),
            typed(json!({"labels": {"a": 1}})),
            typed(json!({"labels": {"a": null, "B_": "-"}})),
            typed(json!({"annotations": []})),
            typed(json!({"annotations": {"a/b/c": "1"}})),
            typed(json!({"ownerReferences": {}})),
            typed(json!({"ownerReferences": [{"uid": 1}]})),
            typed(json!({"ownerReferences": [{"apiVersion": "v1", "kind": "Event", "name": "e", "uid": "u"}]})),
            typed(json!({"finalizers": [1]})),
            typed(json!({"finalizers": ["plain", "a b"]})),
            typed(json!({"creationTimestamp": "soon"})),
            typed(json!({"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 3})),
            typed(json!({"generation": "1"})),
            typed(json!({"name": "Not_a_name"})),
            typed(json!({"odd": 1, "managedFields": []})),
            typed(json!({"managedFields": [{}]})),
            typed(json!({"managedFields": [{"manager": "m", "operation": "Odd"}]})),
        ]);
        let path = one(key, name);
        match self.below(10) {
            // A PUT that creates keeps the time of deletion that it is given.
            4..6 if body.contains("deletionTimestamp") => step("POST", all(key), JSON, body),
            0..4 => step("POST", all(key), JSON, body),
            4..6 => step("PUT", &path, JSON, body),
            6 => step("PATCH", &path, MERGE, body),
            7 => step("PATCH", &path, JSON_PATCH, body),
            8 => {
                let query = self.one(&[
                    "limit=x",
                    "resourceVersion=abc",
                    "resourceVersionMatch=Odd&resourceVersion=1",
                    "resourceVersionMatch=Exact",
                    "resourceVersion=0&resourceVersionMatch=Exact",
                    "sendInitialEvents=true",
                    "labelSelector=a%20b",
                    "labelSelector=a%3D-",
                    "fieldSelector=a",
                    "fieldSelector=odd%3D1",
                ]);
                step("GET", &format!("{}?{query}", all(key)), JSON, String::new())
            }
            _ => {
                let query = self.one(&[
                    "fieldValidation=Odd",
                    "dryRun=Odd",
                    "fieldManager=a%0Ab",
                    "fieldValidation=Odd&dryRun=Odd",
                ]);
                let path = format!("{}?{query}", all(key));
                step("POST", &path, JSON, typed(json!({})))
            }
        }
    }

    fn update(&mut self, kind: &str, name: &str) -> Step {
        let path = format!("{}{}", one(kind, name), self.write_query());
        if self.chance(60) {
            let mut patch = self.content(kind);
            if self.chance(30) {
                patch["metadata"] = self.metadata(name);
            }
            if self.chance(30) {
                patch["metadata"]["resourceVersion"] = json!(self.version(kind, name));
            }
            return step("PUT", &path, JSON, format!("@EDIT:{kind}/{name}@{patch}"));
        }
        let mut object = self.object(kind, name);
        if self.chance(80) {
            object["metadata"]["resourceVersion"] = json!(self.version(kind, name));
        }
        if self.chance(20) {
            object["metadata"]["uid"] = json!(format!("@UID:{kind}/{name}@"));
        }
        if self.chance(3) {
            object["metadata"]["uid"] = json!("other");
        }
        step("PUT", &path, JSON, object.to_string())
    }

    fn patch(&mut self, kind: &str, name: &str) -> Step {
        match self.below(10) {
            0..3 => {
                let body = self.merge_body(kind, name);
                let path = format!("{}{}", one(kind, name), self.write_query());
                step("PATCH", &path, MERGE, body.to_string())
            }
            3..5 => {
                let body = self.json_patch(kind, name);
                let path = format!("{}{}", one(kind, name), self.write_query());
                step("PATCH", &path, JSON_PATCH, body.to_string())
            }
            5..7 => {
                let kind = if kind == "w" {
                    self.one(&["cm", "cm", "cm", "w"])
                } else {
                    kind
                };
                let body = self.strategic_body(kind, name);
                let path = format!("{}{}", one(kind, name), self.write_query());
                step("PATCH", &path, STRATEGIC, body.to_string())
            }
            _ => self.apply(kind, name),
        }
    }

    fn apply(&mut self, kind: &str, name: &str) -> Step {
        let mut object = self.object(kind, name);
        if kind == "w" && self.chance(70) {
            object["spec"] = self.valid_spec();
        }
        // The real server stores these, and drops them at the next read.
        if object["metadata"]["annotations"] == json!({}) {
            object["metadata"]
                .as_object_mut()
                .unwrap()
                .remove("annotations");
        }
        if self.chance(10) {
            object["metadata"]["resourceVersion"] = json!(self.version(kind, name));
        }
        if self.chance(3) {
            object["metadata"]["name"] = json!("other");
        }
        let mut parts = Vec::new();
        if self.chance(97) {
            let who = self.one(&["m1", "m2", "m3"]);
            parts.push(format!("fieldManager={who}"));
        }
        if self.chance(40) {
            parts.push("force=true".to_owned());
        }
        if self.chance(8) {
            parts.push("dryRun=All".to_owned());
        }
        let path = format!("{}{}", one(kind, name), query(&parts));
        step("PATCH", &path, APPLY, object.to_string())
    }

    fn merge_body(&mut self, kind: &str, name: &str) -> Value {
        let metadata = self.metadata(name);
        let version = self.version(kind, name);
        let content = self.content(kind);
        let mut guarded = content.clone();
        guarded["metadata"] = json!({"resourceVersion": version});
        let own = self.own_merge_body(kind);
        let mut both = content.clone();
        both["metadata"] = metadata;
        self.one(&[
            content.clone(),
            content,
            guarded,
            both,
            json!({"metadata": {"labels": {"k": null}}}),
            json!({"metadata": {"labels": {"k": "1"}, "annotations": {"x": "1"}}}),
            json!({"metadata": {"finalizers": null}}),
            json!({"metadata": {"finalizers": ["example.io/f"]}}),
            json!({"metadata": {"finalizers": ["example.io/g", "example.io/f"]}}),
            json!({"metadata": {"name": "zz"}}),
            json!({"metadata": {"labels": null, "annotations": null}}),
            json!({"metadata": {"uid": format!("@UID:{kind}/{name}@")}}),
            json!({"metadata": {"deletionTimestamp": null, "generation": 44}}),
            json!({}),
            own,
        ])
    }

    fn own_merge_body(&mut self, kind: &str) -> Value {
        if kind == "w" {
            self.one(&[
                json!({"spec": {"size": null, "disks": {"d1": null}, "tags": null}}),
                json!({"status": {"phase": "p"}}),
                json!({"spec": {"free": {"a": null, "l": [null, {"n": null, "m": 1}]}}}),
                json!({"spec": {"parts": [{"id": "p", "n": null}]}}),
            ])
        } else {
            self.one(&[
                json!({"data": {"k": null}}),
                json!({"immutable": true}),
                json!({"data": [null, 1], "spec": null}),
                json!({"metadata": {"labels": {"k": [null]}}}),
            ])
        }
    }

    fn strategic_body(&mut self, kind: &str, name: &str) -> Value {
        let content = self.content(kind);
        let version = self.version(kind, name);
        self.one(&[
            content.clone(),
            content,
            json!({"spec": {"containers": [{"name": "c", "image": "j", "env": [{"name": "C", "value": "3"}]}]}}),
            json!({"spec": {"containers": [{"image": "j"}]}}),
            json!({"secrets": [{"name": "t"}, {"$patch": "delete", "name": "s"}]}),
            json!({"secrets": [{"$patch": "replace"}, {"name": "u"}]}),
            json!({"metadata": {"$patch": "odd"}}),
            json!({"metadata": {"labels": {"k": 1}}}),
            json!({"metadata": {"labels": "x"}}),
            json!({"metadata": {"$setElementOrder/finalizers": ["example.io/g", "example.io/f"]}}),
            json!({"data": {"k": null, "z": "1"}}),
            json!({"data": null}),
            json!({"data": {"$patch": "replace", "n": "1"}}),
            json!({"data": {"$patch": "delete"}}),
            json!({"metadata": {"finalizers": ["example.io/h"]}}),
            json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.io/f"]}}),
            json!({"metadata": {"labels": {"k": null, "s": "1"}}}),
            json!({"metadata": {"resourceVersion": version}, "data": {"k": "7"}}),
            json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o2",
                "uid": "11111111-2222-4333-8444-777777777777"}]}}),
            json!({"metadata": {"ownerReferences": [{"$patch": "delete",
                "uid": "11111111-2222-4333-8444-777777777777"}]}}),
            json!({}),
        ])
    }

    fn json_patch(&mut self, kind: &str, name: &str) -> Value {
        let version = self.version(kind, name);
        let content = self.content(kind);
        let own = if kind != "w" && kind != "cm" {
            content
                .as_object()
                .unwrap()
                .iter()
                .flat_map(|(key, value)| {
                    ["add", "replace"]
                        .map(|op| json!({"op": op, "path": format!("/{key}"), "value": value}))
                })
                .chain([
                    json!({"op": "remove", "path": "/spec/odd"}),
                    json!({"op": "add", "path": "/odd", "value": 1}),
                ])
                .collect()
        } else if kind == "w" {
            vec![
                json!({"op": "add", "path": "/spec/size", "value": 5}),
                json!({"op": "replace", "path": "/spec/size", "value": 6}),
                json!({"op": "remove", "path": "/spec/size"}),
                json!({"op": "test", "path": "/spec/size", "value": 5}),
                json!({"op": "add", "path": "/spec", "value": {"size": 1, "tags": ["t"]}}),
                json!({"op": "add", "path": "/spec/tags/-", "value": "u"}),
                json!({"op": "add", "path": "/spec/tags/0", "value": "v"}),
                json!({"op": "remove", "path": "/spec/tags/1"}),
                json!({"op": "copy", "from": "/spec/size", "path": "/spec/free"}),
                json!({"op": "move", "from": "/spec/tags", "path": "/spec/free"}),
                json!({"op": "add", "path": "/spec/parts", "value": [{"id": "p", "n": 3}]}),
                json!({"op": "add", "path": "/spec/size", "value": "six"}),
                json!({"op": "copy", "from": "/spec/nothing", "path": "/spec/free"}),
                json!({"op": "replace", "path": "/spec/nothing", "value": 1}),
                json!({"op": "add", "path": "/spec/tags/-1", "value": "w"}),
                json!({"op": "odd", "path": "/spec"}),
                json!({"op": "add", "path": 5, "value": 1}),
                json!({"op": "add", "path": "/spec/size", "value": 4, "odd": 1}),
            ]
        } else {
            vec![
                json!({"op": "add", "path": "/data", "value": {"k": "1", "l": "2"}}),
                json!({"op": "add", "path": "/data/k", "value": "9"}),
                json!({"op": "replace", "path": "/data/k", "value": "8"}),
                json!({"op": "remove", "path": "/data/k"}),
                json!({"op": "test", "path": "/data/k", "value": "1"}),
                json!({"op": "move", "from": "/data/k", "path": "/data/l"}),
                json!({"op": "copy", "from": "/data/k", "path": "/data/n"}),
                json!({"op": "add", "path": "/immutable", "value": true}),
            ]
        };
        let shared = [
            json!({"op": "add", "path": "/metadata/labels", "value": {"k": "1"}}),
            json!({"op": "add", "path": "/metadata/labels/k", "value": "2"}),
            json!({"op": "remove", "path": "/metadata/labels"}),
            json!({"op": "remove", "path": "/metadata/finalizers"}),
            json!({"op": "remove", "path": "/metadata/finalizers/0"}),
            json!({"op": "add", "path": "/metadata/finalizers", "value": ["example.io/f"]}),
            json!({"op": "test", "path": "/metadata/resourceVersion", "value": version}),
            json!({"op": "replace", "path": "/metadata/resourceVersion", "value": version}),
            json!({"op": "replace", "path": "/metadata/name", "value": "zz"}),
        ];
        let mut patch = Vec::new();
        for _ in 0..=self.below(3) {
            patch.push(if self.chance(65) {
                self.one(&own)
            } else {
                self.one(&shared)
            });
        }
        Value::from(patch)
    }

    fn status(&mut self, kind: &str, name: &str) -> Step {
        if matches!(kind, "pod" | "node" | "ns") {
            return self.core_status(kind, name);
        }
        let kind = if kind == "x" { "x" } else { "w" };
        let path = format!("{}/status", one(kind, name));
        let status = self.one(&[
            json!({"phase": "p1"}),
            json!({"phase": "p2", "count": 1}),
            json!({"count": 2, "odd": 1}),
            json!({"phase": 3}),
            json!({}),
        ]);
        match self.below(4) {
            0 => {
                let mut patch = json!({"status": status, "spec": self.spec()});
                if self.chance(20) {
                    patch["metadata"] = json!({"resourceVersion": self.version(kind, name)});
                }
                let query = self.write_query();
                let body = format!("@EDIT:{kind}/{name}@{patch}");
                step("PUT", &(path + &query), JSON, body)
            }
            1 => {
                let body = json!([{"op": "add", "path": "/status", "value": status}]);
                step("PATCH", &path, JSON_PATCH, body.to_string())
            }
            2 => {
                let who = self.one(&["m1", "m3"]);
                let force = self.one(&["", "&force=true"]);
                let body = json!({"apiVersion": kinds::kind(kind).api_version, "kind": "Widget",
                    "metadata": {"name": name, "labels": {"s": "1"}}, "status": status});
                let path = format!("{path}?fieldManager={who}{force}");
                step("PATCH", &path, APPLY, body.to_string())
            }
            _ => {
                let query = self.write_query();
                let body = json!({"status": status});
                step("PATCH", &(path + &query), MERGE, body.to_string())
            }
        }
    }

    fn core_status(&mut self, kind: &str, name: &str) -> Step {
        let path = format!("{}/status", one(kind, name));
        let status = self.one(&[
            json!({"phase": "Running"}),
            json!({"phase": "Active"}),
            json!({"phase": "Terminating"}),
            json!({"qosClass": "Guaranteed"}),
            json!({"conditions": [{"type": "Ready", "status": "True"}]}),
            json!({"conditions": [{"type": "Ready", "status": "False", "reason": "R"}, {"type": "Other", "status": "True"}]}),
            json!({"capacity": {"cpu": "4"}}),
            json!({"addresses": [{"type": "Hostname", "address": "h"}, {"type": "Hostname", "address": "h"}]}),
            json!({"odd": 1}),
            json!({"conditions": {}}),
        ]);
        let body = json!({"status": status, "metadata": {"labels": {"s": "1"}}});
        let query = self.write_query();
        match self.below(3) {
            0 => step(
                "PUT",
                &(path + &query),
                JSON,
                format!("@EDIT:{kind}/{name}@{body}"),
            ),
            1 => step("PATCH", &(path + &query), MERGE, body.to_string()),
            _ => step("PATCH", &(path + &query), STRATEGIC, body.to_string()),
        }
    }

    fn delete(&mut self, kind: &str, name: &str) -> Step {
        let mut path = one(kind, name);
        let mut options = json!({});
        if self.chance(35) {
            let version = self.version(kind, name);
            options["preconditions"] = self.one(&[
                json!({"uid": format!("@UID:{kind}/{name}@")}),
                json!({"uid": "other"}),
                json!({"resourceVersion": version}),
                json!({"resourceVersion": version, "uid": format!("@UID:{kind}/{name}@")}),
            ]);
        }
        if self.chance(35) {
            let policy = self.one(&["Foreground", "Background", "Orphan"]);
            if self.chance(70) {
                options["propagationPolicy"] = json!(policy);
            } else {
                path += &format!("?propagationPolicy={policy}");
            }
        }
        if self.chance(10) {
            options["dryRun"] = json!(["All"]);
        }
        if self.chance(10) {
            options["gracePeriodSeconds"] = self.one(&[json!(0), json!(30)]);
        }
        let empty = options.as_object().is_some_and(serde_json::Map::is_empty);
        let body = if empty {
            String::new()
        } else {
            options.to_string()
        };
        step("DELETE", &path, JSON, body)
    }

    /// The path of a list with selectors.
    fn listed(&mut self, kind: &str, name: &str) -> String {
        let parts: Vec<String> = self.selectors(kind, name).into_iter().collect();
        format!("{}{}", all(kind), query(&parts))
    }

    fn selectors(&mut self, kind: &str, name: &str) -> Option<String> {
        if kinds::kind(kind).cluster {
            let more = self.one(&["", "", "&labelSelector=k%3D1"]);
            return Some(format!("fieldSelector=metadata.name%3D{name}{more}"));
        }
        let chosen = self.one(&[
            "",
            "",
            "labelSelector=k%3D1",
            "labelSelector=k!%3D1",
            "labelSelector=k",
            "labelSelector=!k",
            "labelSelector=k%20in%20(1,2),l%3Dx",
            "labelSelector=k%20notin%20(2)",
            "labelSelector=k%20in%20(",
            "fieldSelector=metadata.name%3Da",
            "fieldSelector=metadata.name!%3Da",
            "fieldSelector=metadata.namespace%3DNS",
            "fieldSelector=spec.size%3D1",
            "fieldSelector=metadata.name%3Da%5C,b",
            "fieldSelector=metadata.name!%3Da%5C",
            "fieldSelector=metadata.name%3D%3Db,metadata.name!%3Da",
        ]);
        (!chosen.is_empty()).then(|| chosen.to_owned())
    }

    fn list(&mut self, kind: &str, name: &str) -> Step {
        let mut parts: Vec<String> = self.selectors(kind, name).into_iter().collect();
        match self.below(11) {
            0..4 => {
                let limit = 1 + self.below(3);
                parts.push(format!("limit={limit}"));
            }
            4..6 if !kinds::kind(kind).cluster => {
                // A token goes on with the list that it came from.
                parts.clear();
                parts.push("limit=1".to_owned());
                parts.push(format!("continue=@CONT:{kind}@"));
            }
            6 => {
                let name = named(kind, self.one(&["a", "b"]));
                let version = self.version(kind, &name);
                parts.push(format!(
                    "resourceVersion={version}&resourceVersionMatch=Exact"
                ));
            }
            8 => {
                let version = self.version(kind, name);
                parts.push(format!(
                    "limit=2&resourceVersion={version}&resourceVersionMatch=NotOlderThan"
                ));
            }
            7 => parts.push(format!(
                "resourceVersion=@LIST:{kind}@&resourceVersionMatch=Exact"
            )),
            _ => {}
        }
        let path = format!("{}{}", all(kind), query(&parts));
        step("GET", &path, JSON, String::new())
    }

    fn watch(&mut self, kind: &str, name: &str) -> Step {
        let mut parts: Vec<String> = self
            .selectors(kind, name)
            .filter(|s| !s.contains("spec.size") && !s.contains("in%20(&"))
            .into_iter()
            .collect();
        parts.push("watch=true&timeoutSeconds=1".to_owned());
        if self.chance(25) {
            parts.push("sendInitialEvents=true&resourceVersionMatch=NotOlderThan".to_owned());
            parts.push("allowWatchBookmarks=true".to_owned());
        } else if self.chance(10) {
            // What is there is sent, and marked as all, without being asked for.
            parts.push("allowWatchBookmarks=true".to_owned());
        } else {
            let name = named(kind, self.one(&["a", "b"]));
            let from = self.one(&[
                format!("@RV:{kind}/{name}:0@"),
                format!("@RV:{kind}/{name}:3@"),
                format!("@RV:{kind}/{name}:9@"),
                format!("@LIST:{kind}@"),
            ]);
            parts.push(format!("resourceVersion={from}"));
        }
        let path = format!("{}{}", all(kind), query(&parts));
        step("GET", &path, JSON, String::new())
    }
}

fn step(method: &'static str, path: &str, media: &'static str, body: String) -> Step {
    Step {
        method,
        path: path.to_owned(),
        media,
        body,
    }
}

/// The name of an object: those of the cluster are this sequence's own.
fn named(kind: &str, name: &str) -> String {
    if kinds::kind(kind).cluster {
        format!("NS-{name}")
    } else {
        name.to_owned()
    }
}

fn all(key: &str) -> &'static str {
    kind(key).path
}

fn one(kind: &str, name: &str) -> String {
    format!("{}/{name}", all(kind))
}

fn query(parts: &[String]) -> String {
    if parts.is_empty() {
        String::new()
    } else {
        format!("?{}", parts.join("&"))
    }
}
