//go:build tools

// Package kubernetesoracle pins the real Kubernetes servers that the embedded cluster is compared with.
package kubernetesoracle

import (
	_ "go.etcd.io/etcd/server/v3"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
)
