//! The data source controller: it puts its disk into the image's spec, runs the pod
//! that fetches the file, and cleans up
//! (`controller/backing_image_data_source_controller.go:240-440` at v1.9.1).

use std::sync::Arc;

use fixname_longhorn::{BackingImageDataSource, CopyState, FINALIZER};
use rand::Rng;

use crate::data_source::image_with_disk;
use crate::effect::{Object, Write};
use crate::machines::{Call, Phase, Role, source_pod};
use crate::plan::{Desk, Plan};

/// One reconcile of the data source of that name.
pub fn reconcile(name: &str, desk: &Desk<'_>, rng: &mut impl Rng) -> Plan {
    let mut plan = Plan::default();
    let Some(source) = desk.view.data_sources.get(name) else {
        return plan;
    };
    let status = &source.status;
    let Some(owner) = desk.owner(&source.spec.node_id, &status.owner_id) else {
        return plan;
    };
    let mut changed = BackingImageDataSource::clone(source);
    changed.status.owner_id = owner;
    let pod_name = source_pod(name);
    let pod = desk.machines.pod(&pod_name);
    let clean_up = |plan: &mut Plan| {
        if pod.is_some_and(|pod| pod.deleted.is_none()) {
            plan.call(Call::DeletePod(pod_name.clone()));
        }
    };
    let is_transferred = source.spec.file_transferred;
    if source.is_deleting() {
        clean_up(&mut plan);
        if is_transferred || status.current_state == CopyState::FailedAndCleanUp {
            if let Some(finalizers) = &mut changed.metadata.finalizers {
                finalizers.retain(|f| f != FINALIZER);
            }
            plan.update(Object::DataSource(Box::new(changed)));
            return plan;
        }
        "backing image is deleted, requesting manager to clean up the tmp file of backing image data source"
            .clone_into(&mut changed.status.message);
        changed.status.current_state = CopyState::Failed;
        return finish(plan, source, changed);
    }
    let Some(image) = desk.view.images.get(name) else {
        return plan;
    };
    if let Some(image) = image_with_disk(image, source) {
        plan.write(Write::Update(Object::BackingImage(Box::new(image))));
    }
    if is_transferred {
        clean_up(&mut plan);
        changed.status.current_state = CopyState::Ready;
        changed.status.ip.clear();
        changed.status.storage_ip.clear();
        return finish(plan, source, changed);
    }
    let disk = desk.view.ready_disk(&source.spec.disk_uuid, rng);
    let spec = &source.spec;
    if disk.is_none_or(|disk| disk.node != spec.node_id || disk.path != spec.disk_path) {
        changed.status.current_state = CopyState::Unknown;
        return finish(plan, source, changed);
    }
    sync_pod(&mut changed, desk, &mut plan);
    finish(plan, source, changed)
}

/// `syncBackingImageDataSourcePod`: a pod on the right node, and what it reports.
fn sync_pod(source: &mut BackingImageDataSource, desk: &Desk<'_>, plan: &mut Plan) {
    let name = source.name().to_owned();
    let pod_name = source_pod(&name);
    let spec = source.spec.clone();
    let status = &mut source.status;
    match desk.machines.pod(&pod_name) {
        None => {
            plan.call(Call::StartSourcePod {
                image: name,
                uuid: spec.uuid,
                node: spec.node_id,
                path: spec.disk_path,
                checksum: spec.checksum,
            });
            status.current_state = CopyState::Pending;
            status.progress = 0;
        }
        Some(pod) if pod.deleted.is_some() => {}
        Some(pod) if pod.phase == Phase::Failed => {
            plan.call(Call::DeletePod(pod_name));
            status.current_state = CopyState::Failed;
            "the pod of the data source has failed".clone_into(&mut status.message);
        }
        Some(pod) if pod.node != spec.node_id || pod.path != spec.disk_path => {
            plan.call(Call::DeletePod(pod_name));
        }
        Some(pod) if pod.phase == Phase::Pending => status.current_state = CopyState::Starting,
        Some(pod) => {
            let Role::Source {
                state,
                message,
                file,
                ..
            } = &pod.role
            else {
                return;
            };
            status.current_state = state.clone();
            status.message.clone_from(message);
            status.ip = format!("pod-of-{name}");
            status.storage_ip.clone_from(&status.ip);
            if let Some(file) = file {
                status.size = file.bytes;
                status.checksum.clone_from(&file.checksum);
                status.progress = 100;
            }
        }
    }
}

fn finish(
    mut plan: Plan,
    before: &Arc<BackingImageDataSource>,
    source: BackingImageDataSource,
) -> Plan {
    if source.status != before.status {
        plan.finish(Object::DataSource(Box::new(source)));
    }
    plan
}
