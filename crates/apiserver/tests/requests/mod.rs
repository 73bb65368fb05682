//! Random requests to widgets and config maps of one namespace, for
//! `random.rs`: what may be asked, with which weights. A request names what it
//! needs from earlier answers by a placeholder (`@RV:w/a:1@` is the version
//! before the last of widget `a`), so that requests can be left out.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is a failed test"
)]

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// The group of the widgets.
pub const GROUP: &str = "random.example.io";

const JSON: &str = "application/json";
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
        let kind = self.one(&["w", "w", "cm"]);
        let name = self.one(&["a", "a", "a", "b", "b", "c", "d.e"]);
        match self.below(100) {
            0..20 => self.create(kind, name),
            20..34 => self.update(kind, name),
            34..57 => self.patch(kind, name),
            57..64 => self.status(kind, name),
            64..74 => self.delete(kind, name),
            74..77 => step("DELETE", &self.listed(kind), JSON, String::new()),
            77..81 => step("GET", &one(kind, name), JSON, String::new()),
            81..96 => self.list(kind),
            _ => self.watch(kind),
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

    fn object(&mut self, kind: &str, name: &str) -> Value {
        let mut object = json!({"metadata": self.metadata(name)});
        if kind == "w" {
            object["apiVersion"] = json!(format!("{GROUP}/v1"));
            object["kind"] = json!("Widget");
            if self.chance(95) {
                object["spec"] = self.spec();
            }
            if self.chance(10) {
                object["status"] = json!({"phase": "p0"});
            }
        } else {
            object["apiVersion"] = json!("v1");
            object["kind"] = json!("ConfigMap");
            if self.chance(90) {
                object["data"] = self.data();
            }
            if self.chance(5) {
                object["immutable"] = json!(true);
            }
            if self.chance(5) {
                object["binaryData"] = json!({"b": "AAEC"});
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
        let path = format!("{}{}", all(kind), self.write_query());
        step("POST", &path, JSON, object.to_string())
    }

    fn update(&mut self, kind: &str, name: &str) -> Step {
        let path = format!("{}{}", one(kind, name), self.write_query());
        if self.chance(60) {
            let mut patch = if kind == "w" {
                json!({"spec": self.spec()})
            } else {
                json!({"data": self.data()})
            };
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
                let kind = self.one(&["cm", "cm", "cm", "cm", "cm", "cm", "w"]);
                let body = self.strategic_body(kind, name);
                let path = format!("{}{}", one(kind, name), self.write_query());
                step("PATCH", &path, STRATEGIC, body.to_string())
            }
            _ => self.apply(kind, name),
        }
    }

    fn apply(&mut self, kind: &str, name: &str) -> Step {
        let mut object = self.object(kind, name);
        // What does not fit the schema is refused in other words, see the docs.
        if kind == "w" {
            object["spec"] = self.valid_spec();
        } else {
            object["data"] = json!({"k": self.one(&["1", "2"])});
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
        let spec = self.spec();
        let data = self.data();
        let metadata = self.metadata(name);
        let version = self.version(kind, name);
        let content = if kind == "w" {
            json!({"spec": spec})
        } else {
            json!({"data": data})
        };
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
            ])
        } else {
            self.one(&[json!({"data": {"k": null}}), json!({"immutable": true})])
        }
    }

    fn strategic_body(&mut self, kind: &str, name: &str) -> Value {
        let data = self.data();
        let version = self.version(kind, name);
        self.one(&[
            json!({"data": data}),
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
        let own = if kind == "w" {
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
                // What does not fit the schema is refused in other words.
                let status = self.one(&[json!({"phase": "p1"}), json!({"count": 3})]);
                let who = self.one(&["m1", "m3"]);
                let force = self.one(&["", "&force=true"]);
                let body = json!({"apiVersion": format!("{GROUP}/v1"), "kind": "Widget",
                    "metadata": {"name": name}, "status": status});
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
    fn listed(&mut self, kind: &str) -> String {
        let parts: Vec<String> = self.selectors().into_iter().collect();
        format!("{}{}", all(kind), query(&parts))
    }

    fn selectors(&mut self) -> Option<String> {
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
        ]);
        (!chosen.is_empty()).then(|| chosen.to_owned())
    }

    fn list(&mut self, kind: &str) -> Step {
        let mut parts: Vec<String> = self.selectors().into_iter().collect();
        match self.below(10) {
            0..4 => {
                let limit = 1 + self.below(3);
                parts.push(format!("limit={limit}"));
            }
            4..6 => {
                // A token goes on with the list that it came from.
                parts.clear();
                parts.push("limit=1".to_owned());
                parts.push(format!("continue=@CONT:{kind}@"));
            }
            6 => {
                let name = self.one(&["a", "b"]);
                let version = self.version(kind, name);
                parts.push(format!(
                    "resourceVersion={version}&resourceVersionMatch=Exact"
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

    fn watch(&mut self, kind: &str) -> Step {
        let mut parts: Vec<String> = self
            .selectors()
            .filter(|s| !s.contains("spec.size") && !s.contains("in%20(&"))
            .into_iter()
            .collect();
        parts.push("watch=true&timeoutSeconds=1".to_owned());
        if self.chance(25) {
            parts.push("sendInitialEvents=true&resourceVersionMatch=NotOlderThan".to_owned());
            parts.push("allowWatchBookmarks=true".to_owned());
        } else {
            let name = self.one(&["a", "b"]);
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

fn all(kind: &str) -> String {
    if kind == "w" {
        format!("/apis/{GROUP}/v1/namespaces/NS/widgets")
    } else {
        "/api/v1/namespaces/NS/configmaps".to_owned()
    }
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
