//go:build tools

// Package originalwebhook pins the original webhook that the benchmark and the differential test build.
package originalwebhook

import _ "github.com/aws/amazon-eks-pod-identity-webhook"
