// Command kubernetes_types prints, as JSON, what Go's reflection knows of the Kubernetes API types that the embedded
// cluster serves or reads: JSON names, protobuf field numbers, pointers, omitempty, and patch merge keys.
//
// It is the first half of tools/kubernetes_types/generate.py, which runs it in a module of its own.
package main

import (
	"encoding/json"
	"os"
	"reflect"
	"strconv"
	"strings"

	admission "k8s.io/api/admission/v1"
	admissionregistration "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	authentication "k8s.io/api/authentication/v1"
	authorization "k8s.io/api/authorization/v1"
	autoscaling "k8s.io/api/autoscaling/v1"
	batch "k8s.io/api/batch/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	events "k8s.io/api/events/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type field struct {
	Name      string `json:"name"`
	Type      string `json:"type"`
	Number    int    `json:"number"`
	OmitEmpty bool   `json:"omitempty"`
	OmitZero  bool   `json:"omitzero"`
	Inline    bool   `json:"inline"`
	Patch     string `json:"patch"`
	MergeKey  string `json:"mergeKey"`
}

var leaves = map[string]string{
	"k8s.io/apimachinery/pkg/apis/meta/v1.Time":        "Time",
	"k8s.io/apimachinery/pkg/apis/meta/v1.MicroTime":   "MicroTime",
	"k8s.io/apimachinery/pkg/apis/meta/v1.Duration":    "Duration",
	"k8s.io/apimachinery/pkg/apis/meta/v1.FieldsV1":    "FieldsV1",
	"k8s.io/apimachinery/pkg/api/resource.Quantity":    "Quantity",
	"k8s.io/apimachinery/pkg/util/intstr.IntOrString":  "IntOrString",
	"k8s.io/apimachinery/pkg/runtime.RawExtension":     "RawExtension",
	"k8s.io/api/authentication/v1.ExtraValue":          "Items",
	"k8s.io/api/authorization/v1.ExtraValue":           "Items",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSON":                       "JSON",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrArray":     "JSON",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrBool":      "JSON",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrStringArray": "JSON",
}

var types = map[string][]field{}

// name spells a type as OpenAPI does: io.k8s.api.core.v1.Pod.
func name(t reflect.Type) string {
	path := strings.Split(t.PkgPath(), "/")
	host := strings.Split(path[0], ".")
	for i, j := 0, len(host)-1; i < j; i, j = i+1, j-1 {
		host[i], host[j] = host[j], host[i]
	}
	return strings.Join(append(host, path[1:]...), ".") + "." + t.Name()
}

func express(t reflect.Type) string {
	if leaf, ok := leaves[t.PkgPath()+"."+t.Name()]; ok {
		return leaf
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + express(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "[]" + express(t.Elem())
	case reflect.Map:
		return "{}" + express(t.Elem())
	case reflect.Struct:
		visit(t)
		return "@" + name(t)
	}
	kind := t.Kind().String()
	if t.Name() != kind {
		return kind + "=" + t.String()
	}
	return kind
}

func visit(t reflect.Type) {
	if _, seen := types[name(t)]; seen {
		return
	}
	types[name(t)] = []field{}
	fields := []field{}
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("json")
		if !ok || tag == "-" {
			continue
		}
		options := strings.Split(tag, ",")
		out := field{Name: options[0], Type: express(f.Type), Patch: f.Tag.Get("patchStrategy"), MergeKey: f.Tag.Get("patchMergeKey")}
		out.Inline = f.Anonymous && out.Name == ""
		for _, option := range options[1:] {
			out.OmitEmpty = out.OmitEmpty || option == "omitempty"
			out.OmitZero = out.OmitZero || option == "omitzero"
		}
		if parts := strings.Split(f.Tag.Get("protobuf"), ","); len(parts) > 1 {
			out.Number, _ = strconv.Atoi(parts[1])
		}
		fields = append(fields, out)
	}
	types[name(t)] = fields
}

func main() {
	kinds := map[string]string{}
	add := func(apiVersion string, objects ...any) {
		for _, object := range objects {
			t := reflect.TypeOf(object)
			visit(t)
			kinds[apiVersion+"/"+t.Name()] = name(t)
		}
	}
	add("v1", core.Namespace{}, core.Node{}, core.Pod{}, core.ServiceAccount{}, core.ConfigMap{}, core.Secret{}, core.Event{},
		core.Service{}, core.Binding{}, core.PodTemplate{}, meta.Status{}, meta.DeleteOptions{}, core.Endpoints{})
	add("events.k8s.io/v1", events.Event{})
	add("batch/v1", batch.Job{})
	add("apps/v1", apps.Deployment{}, apps.ReplicaSet{}, apps.DaemonSet{}, apps.ControllerRevision{})
	add("autoscaling/v1", autoscaling.Scale{})
	add("coordination.k8s.io/v1", coordination.Lease{})
	add("rbac.authorization.k8s.io/v1", rbac.Role{}, rbac.RoleBinding{}, rbac.ClusterRole{}, rbac.ClusterRoleBinding{})
	add("admissionregistration.k8s.io/v1", admissionregistration.MutatingWebhookConfiguration{}, admissionregistration.ValidatingWebhookConfiguration{})
	add("admission.k8s.io/v1", admission.AdmissionReview{})
	add("authentication.k8s.io/v1", authentication.TokenRequest{}, authentication.TokenReview{}, authentication.SelfSubjectReview{})
	add("authorization.k8s.io/v1", authorization.SubjectAccessReview{}, authorization.SelfSubjectAccessReview{}, authorization.LocalSubjectAccessReview{}, authorization.SelfSubjectRulesReview{})
	add("policy/v1", policy.Eviction{})
	add("apiextensions.k8s.io/v1", apiextensions.CustomResourceDefinition{})
	add("meta.k8s.io/v1", meta.DeleteOptions{}, meta.CreateOptions{}, meta.UpdateOptions{}, meta.PatchOptions{}, meta.PartialObjectMetadata{})
	encoder := json.NewEncoder(os.Stdout)
	if err := encoder.Encode(map[string]any{"kinds": kinds, "types": types}); err != nil {
		panic(err)
	}
}
