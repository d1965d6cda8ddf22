// Command oracle answers patch and apply cases with Kubernetes' own code, one JSON case a line in, one answer a line out.
// tools/kubernetes_types/differential.py compares its answers with ours.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
)

type step struct {
	Operation string         `json:"operation"`
	Manager   string         `json:"manager"`
	Force     bool           `json:"force"`
	Object    map[string]any `json:"object"`
}

type kase struct {
	Before json.RawMessage `json:"before"`
	Patch  json.RawMessage `json:"patch"`
	Steps  []step          `json:"steps"`
}

type noDefaults struct{}

func (noDefaults) Default(runtime.Object) {}

func patch(one kase) any {
	out, err := strategicpatch.StrategicMergePatch(one.Before, one.Patch, core.Pod{})
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	return map[string]any{"object": json.RawMessage(out)}
}

func play(steps []step) any {
	gvk := schema.GroupVersionKind{Version: "v1", Kind: "Pod"}
	converter := applyconfigurations.NewTypeConverter(scheme.Scheme)
	manager, err := managedfields.NewDefaultFieldManager(converter, runtime.UnsafeObjectConvertor(scheme.Scheme), noDefaults{}, scheme.Scheme, gvk, gvk.GroupVersion(), "", nil)
	if err != nil {
		panic(err)
	}
	var live runtime.Object = &core.Pod{}
	errors := []string{}
	for _, one := range steps {
		var next runtime.Object
		if one.Operation == "apply" {
			next, err = manager.Apply(live, &unstructured.Unstructured{Object: one.Object}, one.Manager, one.Force)
		} else {
			pod := &core.Pod{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(one.Object, pod); err != nil {
				panic(err)
			}
			pod.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
			next, err = manager.Update(live, pod, one.Manager)
		}
		if err != nil {
			errors = append(errors, err.Error())
			continue
		}
		errors = append(errors, "")
		live = next
		accessor, _ := meta.Accessor(live)
		accessor.SetUID("u")
	}
	return map[string]any{"object": live, "errors": errors}
}

func main() {
	scanner := bufio.NewScanner(os.Stdin)
	scanner.Buffer(make([]byte, 1<<20), 1<<26)
	for scanner.Scan() {
		var one kase
		if err := json.Unmarshal(scanner.Bytes(), &one); err != nil {
			panic(err)
		}
		var answer any
		if one.Steps != nil {
			answer = play(one.Steps)
		} else {
			answer = patch(one)
		}
		out, err := json.Marshal(answer)
		if err != nil {
			panic(err)
		}
		fmt.Println(string(out))
	}
}
