//go:build tools

// Package originalauthenticator pins the original authenticator that the benchmark and the differential test build.
package originalauthenticator

import _ "sigs.k8s.io/aws-iam-authenticator/cmd/aws-iam-authenticator"
