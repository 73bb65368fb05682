//! Starts etcd and kube-apiserver on loopback, and stops and removes them again
