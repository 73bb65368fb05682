//! kubectl of two minor versions against the embedded server on loopback and
//! against kube-apiserver: each body is a session at a shell, and both servers
//! must lead to the same transcript. Needs the programs (`ci/test clients`).

#![allow(
    clippy::unwrap_used,
    reason = "bodies of tests: a panic is a failed test"
)]

mod session;

use session::Session;

/// One test for each body; it runs with every kubectl on both servers.
macro_rules! sessions {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            session::compare(stringify!($name), bodies::$name);
        })*
    };
}

sessions!(
    get_prints_the_definitions_columns,
    get_in_other_formats,
    describe_shows_spec_status_and_events,
    explain_reads_the_definition,
    apply_creates_configures_and_prunes_fields,
    server_side_apply_conflicts_and_is_forced,
    diff_shows_what_would_change,
    replace_is_refused_when_it_is_stale,
    patches_of_each_type,
    delete_waits_and_cascades,
    wait_for_conditions_values_and_deletion,
    get_watches,
    resources_and_versions_are_listed,
    fields_are_validated_as_strictly_as_asked,
    labels_and_annotations,
    create_of_each_typed_kind,
    create_generates_names_and_takes_options,
    events_are_listed,
    raw_requests,
    who_can_do_what,
    versions,
    errors_are_worded_the_same,
    status_and_other_subresources,
    core_kinds_are_printed_as_tables,
);

mod bodies {
    use super::Session;

    /// The definition of widgets, one widget, and a file to work on.
    fn widgets(s: &mut Session) {
        s.define();
        s.ok_with("create -f -", &widget("a", "size: 3\n  colour: red"));
    }

    fn widget(name: &str, spec: &str) -> String {
        format!(
            "apiVersion: GROUP/v1\nkind: Widget\nmetadata:\n  name: {name}\n  labels:\n    app: {name}\nspec:\n  {spec}\n"
        )
    }

    fn config_map(name: &str, data: &str) -> String {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata: {data}\n")
    }

    pub(super) fn get_prints_the_definitions_columns(s: &mut Session) {
        s.define();
        s.ok("get widgets");
        s.ok_with("create -f -", &widget("a", "size: 3\n  colour: red"));
        s.ok_with("create -f -", &widget("b", "size: 5"));
        let out = s.ok("get widgets");
        assert!(out.starts_with("NAME SIZE PHASE AGE\na 3"), "{out}");
        let out = s.ok("get SHORT -o wide");
        assert!(out.contains("COLOUR"), "{out}");
        s.ok("get widget a --no-headers");
        s.ok("get widget/a widget/b");
        s.ok("get widgets --show-labels -l app=b");
        s.ok("get widgets --field-selector metadata.name=a");
        s.ok("get widgets --sort-by=.spec.size");
        s.ok("get widgets -L app --show-kind");
        s.ok("get widgets -A");
        s.ok("get things");
        s.ok("get widgets --chunk-size=1");
        s.fails("get widget c");
        s.ok("get widget c --ignore-not-found");
        s.ok("get widgets.v1.GROUP a");
        s.ok("get widgets.v1beta1.GROUP a -o jsonpath={.apiVersion}");
    }

    pub(super) fn get_in_other_formats(s: &mut Session) {
        widgets(s);
        s.ok("get widget a -o yaml");
        s.ok("get widget a -o json");
        s.ok("get widgets -o yaml");
        s.ok("get widget a -o yaml --show-managed-fields");
        let out = s.ok("get widgets -o jsonpath={.items[*].spec.size}");
        assert_eq!(out, "3");
        s.ok("get widgets -o custom-columns=N:.metadata.name,C:.spec.colour,X:.spec.nothing");
        s.ok("get widgets -o name");
        s.ok("get widget a -o go-template={{.spec.colour}}");
        s.ok("get crd widgets.GROUP -o jsonpath={.spec.names.shortNames}");
        s.fails("get widgets -o nonsense");
    }

    pub(super) fn describe_shows_spec_status_and_events(s: &mut Session) {
        widgets(s);
        s.ok("patch widget a --subresource=status --type=merge -p {\"status\":{\"phase\":\"Ready\"}}");
        let uid = s.quiet("get widget a -o jsonpath={.metadata.uid}");
        let event = format!(
            "apiVersion: v1\nkind: Event\nmetadata:\n  name: a.1\ninvolvedObject:\n  apiVersion: GROUP/v1\n  kind: Widget\n  name: a\n  namespace: NAMESPACE\n  uid: {uid}\nreason: Painted\nmessage: it is red now\ntype: Normal\nsource:\n  component: painter\nfirstTimestamp: \"2026-01-01T00:00:00Z\"\nlastTimestamp: \"2026-01-01T00:00:00Z\"\ncount: 2\n"
        );
        s.ok_with("create -f -", &event);
        let out = s.ok("describe widget a");
        assert!(
            out.contains("Painted") && out.contains("Phase: Ready"),
            "{out}"
        );
        s.ok("describe widgets");
        s.ok_with("create -f -", &config_map("m", "{a: b}"));
        s.ok("describe configmap m");
        s.fails("describe widget nobody");
    }

    pub(super) fn explain_reads_the_definition(s: &mut Session) {
        s.define();
        let out = s.ok("explain widget");
        assert!(out.contains("a thing with a size"), "{out}");
        s.ok("explain widget.spec");
        s.ok("explain widget.spec.parts");
        s.ok("explain widgets.spec.size");
        s.ok("explain widget.spec --recursive");
        s.ok("explain widget.spec --api-version=GROUP/v1beta1");
        s.ok("explain widget.metadata.labels");
        s.ok("explain widget.metadata --recursive");
        s.fails("explain widget.spec.nothing");
        s.fails("explain nothing");
    }

    pub(super) fn apply_creates_configures_and_prunes_fields(s: &mut Session) {
        s.define();
        s.ok_with("apply -f -", &widget("a", "size: 3\n  colour: red"));
        s.ok_with("apply -f -", &widget("a", "size: 3\n  colour: red"));
        let out = s.ok_with("apply -f -", &widget("a", "size: 4"));
        assert!(out.ends_with("configured\n"), "{out}");
        s.ok("get widget a -o yaml");
        s.ok_with("apply -f - --dry-run=server", &widget("a", "size: 9"));
        s.ok_with(
            "apply -f - --dry-run=server -o yaml",
            &widget("a", "size: 9"),
        );
        s.ok_with("apply -f - --dry-run=client", &widget("a", "size: 9"));
        s.fails_with("apply -f -", &widget("a", "size: 900"));
        s.ok_with("apply -f -", &config_map("m", "{a: b, c: d}"));
        s.ok_with("apply -f -", &config_map("m", "{a: x}"));
        s.ok("get configmap m -o yaml");
        s.ok("apply view-last-applied configmap m");
        s.ok_with("create -f - --save-config", &config_map("saved", "{}"));
        let both = format!(
            "{}---\n{}",
            config_map("m", "{a: z}"),
            config_map("o", "{}")
        );
        s.ok_with("apply -f -", &both);
        s.ok("get configmaps m saved o -o name");
        s.ok("get widget a -o jsonpath={.spec}");
    }

    pub(super) fn server_side_apply_conflicts_and_is_forced(s: &mut Session) {
        s.define();
        s.ok_with(
            "apply --server-side --field-manager=one -f -",
            &widget("a", "size: 3\n  colour: red"),
        );
        let out = s.fails_with(
            "apply --server-side --field-manager=two -f -",
            &widget("a", "size: 4"),
        );
        assert!(out.contains("conflict with \"one\""), "{out}");
        s.ok_with(
            "apply --server-side --field-manager=two --force-conflicts -f -",
            &widget("a", "size: 4"),
        );
        s.ok("get widget a -o yaml --show-managed-fields");
        s.ok_with(
            "apply --server-side --field-manager=one -f -",
            &widget("a", "colour: red"),
        );
        s.ok_with(
            "apply --server-side --dry-run=server -f -",
            &widget("b", "size: 1"),
        );
        s.ok_with("apply --server-side -f -", &config_map("m", "{a: b}"));
        s.ok_with("apply -f -", &config_map("m", "{a: b}"));
        s.ok_with("apply --server-side -f -", &config_map("m", "{a: c}"));
        s.ok("get configmap m -o yaml --show-managed-fields");
    }

    pub(super) fn diff_shows_what_would_change(s: &mut Session) {
        widgets(s);
        let out = s.code_with(1, "diff -f -", &widget("a", "size: 4\n  colour: red"));
        assert!(out.contains("+ size: 4"), "{out}");
        s.ok_with("apply -f -", &widget("a", "size: 4\n  colour: red"));
        s.ok_with("diff -f -", &widget("a", "size: 4\n  colour: red"));
        s.code_with(1, "diff -f -", &widget("new", "size: 4"));
        s.code_with(
            1,
            "diff --server-side --force-conflicts -f -",
            &widget("a", "size: 5"),
        );
        s.ok("get widget a -o jsonpath={.spec.size}");
    }

    pub(super) fn replace_is_refused_when_it_is_stale(s: &mut Session) {
        widgets(s);
        let edited = s.quiet("get widget a -o json");
        // What `kubectl edit` and `get | edit | replace` do.
        s.ok_with("replace -f -", &edited.replace("\"red\"", "\"green\""));
        let out = s.fails_with("replace -f -", &edited);
        assert!(out.contains("the object has been modified"), "{out}");
        s.fails_with("replace -f -", &widget("nobody", "size: 1"));
        s.ok_with("replace --force -f -", &widget("a", "size: 7"));
        s.edit("edit widget a", "size: 7", "size: 8");
        s.ok("get widget a -o jsonpath={.spec}");
        s.edit("edit widget a", "nothing of that kind", "");
        s.ok_with("create -f -", &config_map("m", "{a: b}"));
        s.edit("edit configmap m", "a: b", "a: c");
        s.ok("get configmap m -o jsonpath={.data}");
    }

    pub(super) fn patches_of_each_type(s: &mut Session) {
        widgets(s);
        s.ok("patch widget a --type=merge -p {\"spec\":{\"size\":6}}");
        s.ok("patch widget a --type=merge -p {\"spec\":{\"size\":6}}");
        s.ok("patch widget a --type=json -p [{\"op\":\"replace\",\"path\":\"/spec/size\",\"value\":7}]");
        s.fails(
            "patch widget a --type=json -p [{\"op\":\"test\",\"path\":\"/spec/size\",\"value\":8}]",
        );
        s.fails("patch widget a --type=json -p [{\"op\":\"remove\",\"path\":\"/spec/nothing\"}]");
        s.fails("patch widget a -p {\"spec\":{\"size\":6}}");
        s.fails("patch widget a --type=merge -p {\"spec\":{\"size\":600}}");
        s.ok_with("create -f -", &config_map("m", "{a: b}"));
        s.ok("patch configmap m -p {\"data\":{\"c\":\"d\"}}");
        s.ok("patch configmap m --type=merge -p {\"data\":{\"a\":null}}");
        s.ok("patch configmap m --type=strategic -p {\"metadata\":{\"finalizers\":[\"example.io/x\"]}}");
        s.ok("patch configmap m --type=json -p [{\"op\":\"remove\",\"path\":\"/metadata/finalizers\"}]");
        s.ok("get configmap m -o yaml");
        s.fails("patch configmap nobody -p {}");
        s.ok("patch widget a --type=merge -p {\"spec\":{\"size\":1}} --dry-run=server -o jsonpath={.spec.size}");
        s.ok("get widget a -o jsonpath={.spec.size}");
    }

    pub(super) fn delete_waits_and_cascades(s: &mut Session) {
        widgets(s);
        let owned = |s: &mut Session, name: &str, owner: &str| {
            let uid = s.quiet(&format!("get widget {owner} -o jsonpath={{.metadata.uid}}"));
            let map = format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  ownerReferences:\n  - apiVersion: GROUP/v1\n    kind: Widget\n    name: {owner}\n    uid: {uid}\n    blockOwnerDeletion: true\n"
            );
            s.ok_with("create -f -", &map);
        };
        owned(s, "left", "a");
        s.ok("delete widget a --cascade=orphan");
        s.ok("get configmap left -o name");
        s.ok_with("create -f -", &widget("b", "size: 1"));
        owned(s, "gone", "b");
        s.ok("delete widget b --cascade=foreground");
        s.fails("get configmap gone");
        s.ok_with("create -f -", &widget("c", "size: 1"));
        owned(s, "later", "c");
        s.ok("delete widget c");
        s.ok("wait --for=delete configmap/later --timeout=30s");
        s.ok_with("create -f -", &widget("d", "size: 1"));
        s.ok(
            "patch widget d --type=merge -p {\"metadata\":{\"finalizers\":[\"example.io/hold\"]}}",
        );
        s.ok("delete widget d --wait=false");
        s.ok("get widget d -o jsonpath={.metadata.finalizers}");
        s.fails("delete widget d --timeout=1s");
        s.ok(
            "patch widget d --type=json -p [{\"op\":\"remove\",\"path\":\"/metadata/finalizers\"}]",
        );
        s.ok("get widgets");
        s.fails("delete widget d");
        s.ok("delete widget d --ignore-not-found");
        s.ok_with("create -f -", &widget("e", "size: 1"));
        s.ok_with("create -f -", &widget("f", "size: 1"));
        s.ok("delete widgets -l app=e");
        s.ok("delete widgets --all");
        s.ok_with("create -f -", &widget("g", "size: 1"));
        s.ok("delete widget g --now");
        s.ok("delete widgets --all --dry-run=server");
        s.ok("create namespace NAMESPACE-2");
        s.ok("create configmap x --from-literal=a=b -n NAMESPACE-2");
        s.ok("delete namespace NAMESPACE-2");
        s.fails("get namespace NAMESPACE-2");
    }

    pub(super) fn wait_for_conditions_values_and_deletion(s: &mut Session) {
        widgets(s);
        s.ok("wait --for=condition=Established crd/widgets.GROUP --timeout=20s");
        s.fails("wait --for=jsonpath={.status.phase}=Ready widget/a --timeout=1s");
        let waiting = s.spawn("wait --for=jsonpath={.status.phase}=Ready widget/a --timeout=30s");
        s.ok("patch widget a --subresource=status --type=merge -p {\"status\":{\"phase\":\"Ready\"}}");
        s.join(waiting, 0);
        let waiting = s.spawn("wait --for=condition=Painted widget/a --timeout=30s");
        s.ok("patch widget a --subresource=status --type=merge -p {\"status\":{\"conditions\":[{\"type\":\"Painted\",\"status\":\"True\"}]}}");
        s.join(waiting, 0);
        s.ok("wait --for=condition=Painted=true widget --all --timeout=20s");
        let waiting = s.spawn("wait --for=delete widget/a --timeout=30s");
        s.until_watched();
        s.ok("delete widget a");
        s.join(waiting, 0);
        let waiting = s.spawn("wait --for=create widget/late --timeout=30s");
        s.ok_with("create -f -", &widget("late", "size: 1"));
        s.join(waiting, 0);
        s.fails("wait --for=condition=Painted widget/nobody --timeout=1s");
    }

    pub(super) fn get_watches(s: &mut Session) {
        widgets(s);
        let mut watching = s.spawn("get widgets -w --output-watch-events");
        s.line_of(&mut watching, "ADDED");
        s.ok("patch widget a --type=merge -p {\"spec\":{\"size\":6}}");
        s.line_of(&mut watching, "MODIFIED");
        s.ok("delete widget a");
        s.line_of(&mut watching, "DELETED");
        s.stop(watching);
        let mut watching = s.spawn("get widgets -w -o name --watch-only");
        s.until_watched();
        s.ok_with("create -f -", &widget("b", "size: 1"));
        s.line_of(&mut watching, "b");
        s.stop(watching);
    }

    pub(super) fn resources_and_versions_are_listed(s: &mut Session) {
        s.define();
        let out = s.ok("api-resources --api-group=GROUP");
        assert!(out.contains("widgets SHORT GROUP/v1 true Widget"), "{out}");
        s.ok("api-resources --api-group=GROUP -o wide --namespaced=true");
        s.ok("api-resources --api-group=apiextensions.k8s.io -o wide");
        s.ok("api-resources --api-group=coordination.k8s.io -o wide");
        s.ok("api-resources --api-group=events.k8s.io -o wide");
        s.ok("api-resources --categories=things -o name");
        for line in s.quiet("api-resources -o wide").lines() {
            let core = [
                "bindings",
                "configmaps",
                "events",
                "namespaces",
                "nodes",
                "pods",
                "secrets",
                "serviceaccounts",
            ];
            if let Some(name) = core[1..]
                .iter()
                .find(|n| line.starts_with(&format!("{n} ")))
            {
                s.note(&format!("{name}: {line}"));
            }
        }
        let out = s.quiet("api-versions");
        for version in [
            "v1",
            "apiextensions.k8s.io/v1",
            "batch/v1",
            "coordination.k8s.io/v1",
            "events.k8s.io/v1",
            "GROUP/v1",
            "GROUP/v1beta1",
        ] {
            assert!(
                out.lines().any(|l| l == version),
                "{version} is not in {out}"
            );
        }
    }

    pub(super) fn fields_are_validated_as_strictly_as_asked(s: &mut Session) {
        s.define();
        let odd = widget("a", "size: 3\n  odd: true");
        let out = s.fails_with("create -f - --validate=strict", &odd);
        assert!(out.contains("unknown field \"spec.odd\""), "{out}");
        s.ok_with("create -f - --validate=warn", &odd);
        s.ok_with(
            "apply -f - --validate=ignore",
            &odd.replace("name: a", "name: b"),
        );
        s.ok_with(
            "create -f - --validate=false",
            &odd.replace("name: a", "name: c"),
        );
        s.ok("get widgets -o custom-columns=N:.metadata.name,O:.spec.odd");
        s.fails_with(
            "create -f -",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\nodd: 1\n",
        );
        s.ok_with(
            "create -f - --validate=warn",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\nodd: 1\n",
        );
        s.fails("patch widget a --type=merge -p {\"spec\":{\"size\":\"text\"}}");
        s.fails_with(
            "apply --server-side -f -",
            &odd.replace("name: a", "name: d"),
        );
        s.fails_with("create -f -", "kind: Widget\nmetadata: {name: x}\n");
        s.fails_with(
            "create -f -",
            "apiVersion: nothing.example.io/v1\nkind: Nothing\nmetadata: {name: x}\n",
        );
    }

    pub(super) fn labels_and_annotations(s: &mut Session) {
        widgets(s);
        s.ok("label widget a tier=back");
        s.fails("label widget a tier=front");
        s.ok("label widget a tier=front --overwrite");
        s.ok("label widget a tier-");
        s.ok("label widgets --all zone=x");
        s.ok("annotate widget a note=hello");
        s.ok("annotate widget a note-");
        s.fails("label widget a bad=~~");
        s.ok("annotate widget a other=thing --overwrite -o jsonpath={.metadata.annotations}");
        s.ok("get widgets -l zone=x,app!=b -o name");
        s.ok("get widgets -l zone -o name");
        s.ok("get widgets -l app -o name --selector=app=nobody");
    }

    pub(super) fn create_of_each_typed_kind(s: &mut Session) {
        s.ok("create configmap m --from-literal=a=b --from-literal=c=d");
        s.ok("get configmap m -o yaml");
        s.fails("create configmap m --from-literal=a=b");
        s.ok("create secret generic p --from-literal=word=open");
        s.ok("get secret p -o yaml");
        s.ok("create secret docker-registry r --docker-server=x --docker-username=u --docker-password=p");
        s.ok("get secret r -o jsonpath={.type}");
        s.ok("create serviceaccount robot");
        s.ok("get serviceaccount robot -o yaml");
        s.ok("create namespace NAMESPACE-2");
        s.ok("get namespace NAMESPACE-2 -o yaml");
        s.ok("create job once --image=busybox:1 -- echo hello");
        s.ok("get job once -o yaml");
        s.ok("run sleeper --image=busybox:1 --restart=Never -- sleep 60");
        s.ok("get pod sleeper -o yaml");
        s.ok_with("create -f -", "apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: l}\nspec:\n  holderIdentity: me\n  leaseDurationSeconds: 15\n  renewTime: \"2026-01-01T00:00:00.123456Z\"\n");
        s.ok("get lease l -o yaml");
        s.ok("create configmap d --from-literal=a=b --dry-run=server -o yaml");
        s.ok("create configmap d --from-literal=a=b --dry-run=client -o yaml");
        s.ok("get configmaps,secrets,serviceaccounts,jobs,pods,leases -o name");
        s.ok("delete job/once pod/sleeper --now --cascade=orphan");
    }

    pub(super) fn create_generates_names_and_takes_options(s: &mut Session) {
        let map = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  generateName: g-\n";
        let out = s.quiet_with("create -f - -o name", map);
        assert!(
            out.starts_with("configmap/g-") && out.trim().len() == 17,
            "{out}"
        );
        s.fails_with("apply -f -", map);
        s.fails_with(
            "create -f -",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: A_B\n",
        );
        s.fails_with("create -f - -n nowhere", &config_map("m", "{}"));
        s.ok_with(
            "create -f - --field-manager=me -o yaml --show-managed-fields",
            &config_map("m", "{a: b}"),
        );
    }

    pub(super) fn events_are_listed(s: &mut Session) {
        let event = |name: &str, kind: &str, reason: &str| {
            format!(
                "apiVersion: v1\nkind: Event\nmetadata:\n  name: {name}\ninvolvedObject:\n  apiVersion: v1\n  kind: ConfigMap\n  name: m\n  namespace: NAMESPACE\nreason: {reason}\nmessage: something happened\ntype: {kind}\nsource:\n  component: test\n  host: node-1\nfirstTimestamp: \"2026-01-01T00:00:00Z\"\nlastTimestamp: \"2026-01-01T00:00:00Z\"\ncount: 3\n"
            )
        };
        s.ok_with("create -f -", &event("m.1", "Normal", "Made"));
        s.ok_with("create -f -", &event("m.2", "Warning", "Failed"));
        s.ok("get events");
        s.ok("get events -o wide");
        s.ok("get events --field-selector type=Warning");
        s.ok("get events --field-selector involvedObject.name=m,reason=Made -o name");
        s.ok("events");
        s.ok("events --for configmap/m --types=Warning");
        s.ok("get events.events.k8s.io m.1 -o yaml");
        s.ok("get event m.1 -o yaml");
    }

    pub(super) fn raw_requests(s: &mut Session) {
        widgets(s);
        s.ok("get --raw /apis/GROUP/v1/namespaces/NAMESPACE/widgets/a");
        s.ok("get --raw /apis/GROUP/v1/namespaces/NAMESPACE/widgets?limit=1");
        s.ok("get --raw /apis/GROUP");
        s.ok("get --raw /healthz");
        s.ok("get --raw /readyz");
        s.fails("get --raw /nothing");
        s.fails("get --raw /apis/GROUP/v1/namespaces/NAMESPACE/widgets/b");
        s.ok_with(
            "create --raw /api/v1/namespaces/NAMESPACE/configmaps -f -",
            "{\"metadata\":{\"name\":\"raw\"}}",
        );
        s.ok("delete --raw /api/v1/namespaces/NAMESPACE/configmaps/raw");
    }

    pub(super) fn who_can_do_what(s: &mut Session) {
        s.ok("auth can-i create pods");
        s.ok("auth can-i delete configmaps/m");
        s.ok("auth can-i get pods --subresource=status");
        s.ok("auth can-i get /healthz");
        s.ok("auth can-i list nodes");
    }

    pub(super) fn versions(s: &mut Session) {
        s.ok("version");
        let found: serde_json::Value =
            serde_json::from_str(&s.quiet("get --raw /version")).unwrap();
        s.note(&format!("{} {}", found["major"], found["minor"]));
    }

    pub(super) fn errors_are_worded_the_same(s: &mut Session) {
        widgets(s);
        s.fails("get nothing");
        s.fails("get widgets/nobody configmap/nobody");
        s.fails_with("create -f -", &widget("a", "size: 1"));
        s.fails_with("create -f -", &widget("b", "size: 1000"));
        s.fails_with("create -f -", &widget("b", "size: text"));
        s.fails_with("create -f -", &widget("b", "size: 1\n  colour: blue"));
        s.fails("get widgets -l ==");
        s.fails("get widgets --field-selector spec.nothing=1");
        s.fails("get configmaps --field-selector spec.nothing=1");
        s.fails("delete namespace kube-system");
        s.fails("scale widget a --replicas=2");
    }

    pub(super) fn status_and_other_subresources(s: &mut Session) {
        widgets(s);
        s.ok("get widget a --subresource=status -o yaml");
        s.ok("patch widget a --subresource=status --type=merge -p {\"status\":{\"phase\":\"Ready\"},\"spec\":{\"size\":9}}");
        s.ok("get widget a");
        let json = s.quiet("get widget a -o json").replace("Ready", "Gone");
        s.ok_with("replace --subresource=status -f -", &json);
        s.ok("get widget a -o yaml --show-managed-fields");
        s.fails("get configmap m --subresource=status");
    }

    pub(super) fn core_kinds_are_printed_as_tables(s: &mut Session) {
        s.ok("create configmap m --from-literal=a=b");
        s.ok("create secret generic p --from-literal=word=open");
        s.ok("create serviceaccount robot");
        s.ok("create job once --image=busybox:1");
        s.ok("run sleeper --image=busybox:1");
        s.ok_with("create -f -", "apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: l}\nspec: {holderIdentity: me}\n");
        s.ok_with("create -f -", "apiVersion: v1\nkind: Node\nmetadata: {name: NAMESPACE-node, labels: {node-role.kubernetes.io/worker: \"\"}}\nspec: {unschedulable: true}\n");
        s.ok("get configmap");
        s.ok("get secret");
        s.ok("get serviceaccount");
        s.ok("get job -o wide");
        s.ok("get pod -o wide");
        s.ok("get lease");
        s.ok("get namespace NAMESPACE");
        s.ok("get node NAMESPACE-node -o wide");
        s.define();
        s.ok("get crd widgets.GROUP");
        s.ok("get all");
        s.ok("delete node NAMESPACE-node");
        s.ok("delete pod sleeper --force");
    }
}
