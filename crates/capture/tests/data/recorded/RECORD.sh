#!/usr/bin/env bash
# Records what kubectl prints for the cluster of the knowledge base's page, from
# a real kube-apiserver that holds Longhorn's own CRDs. No controller runs: the
# objects below say what Longhorn v1.9.1 leaves behind in a late collision.
#
#   KUBEBUILDER_ASSETS=<folder with etcd, kube-apiserver, kubectl> \
#     ./RECORD.sh <Longhorn's crds.yaml> [<output folder>]
#
# Listens on loopback only, and stops, by process id, the two programs it starts.
set -euo pipefail

crds=${1:?give Longhorn\'s crds.yaml (longhorn-manager, k8s/crds.yaml)}
out=${2:-$(cd "$(dirname "$0")" && pwd)}
bin=${KUBEBUILDER_ASSETS:?set KUBEBUILDER_ASSETS to the folder with etcd, kube-apiserver and kubectl}
work=$(mktemp -d)
etcd_pid='' apiserver_pid=''

stop() {
  for pid in $apiserver_pid $etcd_pid; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap stop EXIT

free_port() { # A port that nobody listens on.
  local port
  while :; do
    port=$((20000 + RANDOM % 20000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

client=$(free_port) peer=$(free_port) secure=$(free_port)
"$bin/etcd" --data-dir "$work/etcd" --log-level error \
  --listen-client-urls "http://127.0.0.1:$client" --advertise-client-urls "http://127.0.0.1:$client" \
  --listen-peer-urls "http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
  --initial-cluster "default=http://127.0.0.1:$peer" >"$work/etcd.log" 2>&1 &
etcd_pid=$!

openssl genrsa -out "$work/sa.key" 2048 2>/dev/null
echo 'recorder,recorder,recorder,system:masters' >"$work/tokens.csv"
"$bin/kube-apiserver" --etcd-servers "http://127.0.0.1:$client" --cert-dir "$work/certs" \
  --bind-address 127.0.0.1 --advertise-address 127.0.0.1 --secure-port "$secure" \
  --service-cluster-ip-range 10.0.0.0/24 --service-account-issuer https://kubernetes.default.svc \
  --service-account-key-file "$work/sa.key" --service-account-signing-key-file "$work/sa.key" \
  --token-auth-file "$work/tokens.csv" --authorization-mode AlwaysAllow \
  --disable-admission-plugins ServiceAccount >"$work/apiserver.log" 2>&1 &
apiserver_pid=$!

k() {
  HOME=$work "$bin/kubectl" --server "https://127.0.0.1:$secure" --token recorder \
    --insecure-skip-tls-verify "$@"
}
for _ in $(seq 120); do
  k get --raw /readyz >/dev/null 2>&1 && break
  kill -0 "$apiserver_pid" || { tail -20 "$work/apiserver.log" >&2; exit 3; }
  sleep 0.5
done

# The released file is a Helm template, and its conversion webhook is not here.
awk '/\{\{/ { next }
     /^  conversion:/ { skip = 1; next }
     skip && /^  [^ ]/ { skip = 0 }
     !skip' "$crds" >"$work/crds.yaml"
k create -f "$work/crds.yaml" >/dev/null
k wait --for=condition=Established --timeout=60s crd \
  nodes.longhorn.io backingimages.longhorn.io backingimagemanagers.longhorn.io \
  backingimagedatasources.longhorn.io replicas.longhorn.io settings.longhorn.io >/dev/null
k create namespace longhorn-system >/dev/null
k create namespace somewhere-else >/dev/null
n() { k -n longhorn-system "$@"; }

# put KIND NAME METADATA-FIELDS BODY-FIELDS STATUS: creates the object, then
# writes its status, which a create drops.
put() {
  local file=$work/object.json
  printf '{"apiVersion":"longhorn.io/v1beta2","kind":"%s","metadata":{"name":"%s"%s},%s}' "$1" "$2" "$3" "$4" >"$file"
  for _ in $(seq 40); do # A definition is established a moment before it is served.
    n create -f "$file" >/dev/null 2>"$work/error" && break
    sleep 0.25
  done
  n get "$1.longhorn.io" "$2" >/dev/null 2>&1 || { cat "$work/error" >&2; exit 3; }
  n patch "$1.longhorn.io" "$2" --subresource=status --type=merge -p "{\"status\":$5}" >/dev/null
}
finalizer=',"finalizers":["longhorn.io"]'
conditions() { # Each argument is Type=Status.
  local item list=''
  for item in "$@"; do
    list+="${list:+,}{\"type\":\"${item%=*}\",\"status\":\"${item#*=}\",\"lastProbeTime\":\"\",\"lastTransitionTime\":\"2025-08-20T18:40:11Z\",\"reason\":\"\",\"message\":\"\"}"
  done
  printf '[%s]' "$list"
}
ready=$(conditions Ready=True Schedulable=True)

node() { # NAME DISK UUID PATH SCHEDULED-IMAGES
  put Node "$1" "$finalizer" \
    "\"spec\":{\"name\":\"$1\",\"allowScheduling\":true,\"evictionRequested\":false,\"tags\":[],\"instanceManagerCPURequest\":0,\"disks\":{\"$2\":{\"allowScheduling\":true,\"diskDriver\":\"\",\"diskType\":\"filesystem\",\"evictionRequested\":false,\"path\":\"$4\",\"storageReserved\":32212254720,\"tags\":[]}}}" \
    "{\"autoEvicting\":false,\"conditions\":$ready,\"region\":\"\",\"zone\":\"\",\"diskStatus\":{\"$2\":{\"conditions\":$ready,\"diskDriver\":\"\",\"diskName\":\"$2\",\"diskPath\":\"$4\",\"diskType\":\"filesystem\",\"diskUUID\":\"$3\",\"filesystemType\":\"ext2/ext3\",\"instanceManagerName\":\"\",\"scheduledBackingImage\":$5,\"scheduledReplica\":{},\"storageAvailable\":96636764160,\"storageMaximum\":107374182400,\"storageScheduled\":10737418240}}}"
}
winner=c01200da-8a5c-4692-92e6-c4a983087951
loser=c012eb76-f8eb-4ea1-b81d-472eac9d98bf
bystander=7b1d2c3e-5a8f-4c1d-9a52-3f0e8d6c2b11
rhel=rhel-9-5-comops-4249-v2
node my-node-1 disk-7 $winner /mnt/disk-7 "{\"$rhel\":10737418240,\"parrot\":16300000}"
node my-node-2 default-disk-a0c5d780fe32c91c $loser /var/lib/longhorn/ "{\"$rhel\":10737418240}"
node my-node-3 default-disk-51f2a6c09be3d847 $bystander /var/lib/longhorn/ "{\"$rhel\":10737418240}"

wanted() { # The spec of a backing image on these disks.
  local uuid map=''
  for uuid in "${@:2}"; do map+="${map:+,}\"$uuid\":{\"dataEngine\":\"v1\",\"evictionRequested\":false}"; done
  printf '"spec":{"checksum":"","dataEngine":"v1","diskFileSpecMap":{%s},"diskSelector":[],"disks":{},"minNumberOfCopies":1,"nodeSelector":[],"secret":"","secretNamespace":"","sourceParameters":{"url":"https://images.example.com/%s.qcow2"},"sourceType":"download"}' "$map" "$1"
}
copy() { printf '"%s":{"dataEngine":"v1","lastStateTransitionTime":"2025-08-20T18:52:03Z","message":"","progress":100,"state":"ready"}' "$1"; }
image() { # NAME STATUS-UUID SIZE DISKS…
  put BackingImage "$1" "$finalizer,\"labels\":{\"longhorn.io/component\":\"backing-image\",\"longhorn.io/managed-by\":\"longhorn-manager\"}" "$(wanted "$1" "${@:4}")" \
    "{\"checksum\":\"\",\"diskFileStatusMap\":{$(copy $winner)},\"diskLastRefAtMap\":{},\"ownerID\":\"my-node-1\",\"realSize\":$3,\"size\":$3,\"uuid\":\"$2\",\"v2FirstCopyDisk\":\"\",\"v2FirstCopyStatus\":\"\",\"virtualSize\":$3}"
  put BackingImageDataSource "$1" "$finalizer" \
    "\"spec\":{\"checksum\":\"\",\"diskPath\":\"/mnt/disk-7\",\"diskUUID\":\"$winner\",\"fileTransferred\":true,\"nodeID\":\"my-node-1\",\"parameters\":{\"url\":\"https://images.example.com/$1.qcow2\"},\"sourceType\":\"download\",\"uuid\":\"$2\"}" \
    "{\"checksum\":\"\",\"currentState\":\"ready\",\"ip\":\"\",\"message\":\"\",\"ownerID\":\"my-node-1\",\"progress\":100,\"runningParameters\":{},\"size\":$3,\"storageIP\":\"\"}"
}
# The loser is wanted and missing in the status; so is the bystander, whose
# manager has the file: nothing of this image's status moves any more.
image $rhel 5d1c7a90 10737418240 $winner $loser $bystander
image parrot 0a9b33ef 16300000 $winner

manager_image=longhornio/backing-image-manager:v1.9.1
file() { printf '"%s":{"currentChecksum":"","message":"","name":"%s","progress":100,"realSize":%s,"senderManagerAddress":"","sendingReference":0,"size":%s,"state":"ready","uuid":"%s","virtualSize":%s}' "$1" "$1" "$3" "$3" "$2" "$3"; }
manager() { # NAME NODE UUID PATH SPEC-MAP FILES
  put BackingImageManager "$1" "$finalizer,\"labels\":{\"longhorn.io/component\":\"backing-image-manager\",\"longhorn.io/disk-uuid\":\"$3\",\"longhorn.io/managed-by\":\"longhorn-manager\",\"longhorn.io/node\":\"$2\"}" \
    "\"spec\":{\"backingImages\":{$5},\"diskPath\":\"$4\",\"diskUUID\":\"$3\",\"image\":\"$manager_image\",\"nodeID\":\"$2\"}" \
    "{\"apiMinVersion\":3,\"apiVersion\":3,\"backingImageFileMap\":{$6},\"currentState\":\"running\",\"ip\":\"10.42.0.17\",\"ownerID\":\"$2\",\"storageIP\":\"10.42.0.17\"}"
}
manager backing-image-manager-4407-c012 my-node-1 $winner /mnt/disk-7 "\"$rhel\":\"5d1c7a90\",\"parrot\":\"0a9b33ef\"" "$(file $rhel 5d1c7a90 10737418240),$(file parrot 0a9b33ef 16300000)"
manager backing-image-manager-4407-7b1d my-node-3 $bystander /var/lib/longhorn/ "\"$rhel\":\"5d1c7a90\"" "$(file $rhel 5d1c7a90 10737418240)"

replica() { # NAME NODE UUID PATH STATE
  put Replica "$1" "$finalizer,\"labels\":{\"longhorn.io/backing-image\":\"$rhel\",\"longhorndiskuuid\":\"$3\",\"longhornnode\":\"$2\",\"longhornvolume\":\"vm-root\"}" \
    "\"spec\":{\"active\":true,\"backingImage\":\"$rhel\",\"dataDirectoryName\":\"vm-root-0f6c2d1a\",\"dataEngine\":\"v1\",\"desireState\":\"running\",\"diskID\":\"$3\",\"diskPath\":\"$4\",\"engineName\":\"vm-root-e-0\",\"evictionRequested\":false,\"failedAt\":\"\",\"hardNodeAffinity\":\"\",\"healthyAt\":\"\",\"image\":\"longhornio/longhorn-engine:v1.9.1\",\"logRequested\":false,\"nodeID\":\"$2\",\"rebuildRetryCount\":0,\"salvageRequested\":false,\"unmapMarkDiskChainRemovedEnabled\":false,\"volumeName\":\"vm-root\",\"volumeSize\":\"10737418240\"}" \
    "{\"currentState\":\"$5\",\"ownerID\":\"$2\",\"conditions\":[]}"
}
replica vm-root-r-11aa22bb my-node-1 $winner /mnt/disk-7 running
replica vm-root-r-33cc44dd my-node-2 $loser /var/lib/longhorn/ stopped
replica vm-root-r-55ee66ff my-node-3 $bystander /var/lib/longhorn/ stopped

setting() { put Setting "$1" '' "\"value\":\"$2\"" '{"applied":true}'; }
setting current-longhorn-version v1.9.1
setting default-backing-image-manager-image $manager_image
setting backing-image-cleanup-wait-interval 60
setting default-min-number-of-backing-image-copies 3
setting concurrent-backing-image-replenish-per-node-limit 5

for kind in nodes backingimages backingimagemanagers backingimagedatasources replicas settings; do
  n get "$kind.longhorn.io" -o json >"$out/$kind.json"
done
# The other shapes in which the same objects come.
n get nodes.longhorn.io -o yaml >"$out/nodes.yaml"
n get nodes.longhorn.io my-node-1 -o json >"$out/one-node.json"
n get nodes.longhorn.io,backingimages.longhorn.io,backingimagemanagers.longhorn.io -o json >"$out/cluster.json"
n get --raw /apis/longhorn.io/v1beta2/namespaces/longhorn-system/nodes >"$out/node-list-raw.json"
k -n somewhere-else get nodes.longhorn.io -o json >"$out/empty.json"
# What somebody gets who forgets `.longhorn.io`.
printf '{"apiVersion":"v1","kind":"Node","metadata":{"name":"my-node-1"}}' | k create -f - >/dev/null
k get nodes -o json >"$out/core-nodes.json"
echo "recorded in $out: $(k version | tr '\n' ' ')"
