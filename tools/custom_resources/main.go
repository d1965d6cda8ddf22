// Command custom_resources answers with Kubernetes' own code what a CustomResourceDefinition's schema makes of an object:
// one JSON case a line in, one answer a line out. differential.py compares the answers with ours.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	values "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/cel/common"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
)

type kase struct {
	Definition json.RawMessage `json:"definition"`
	Object     json.RawMessage `json:"object"`
	Old        json.RawMessage `json:"old"`
}

func words(errs field.ErrorList) []string {
	out := []string{}
	for _, err := range errs {
		out = append(out, err.Error())
	}
	return out
}

func object(raw json.RawMessage) map[string]any {
	out := map[string]any{}
	if err := utiljson.Unmarshal(raw, &out); err != nil {
		panic(err)
	}
	return out
}

func answer(one kase, scheme *runtime.Scheme) map[string]any {
	external, internal := &v1.CustomResourceDefinition{}, &apiextensions.CustomResourceDefinition{}
	if err := json.Unmarshal(one.Definition, external); err != nil {
		return map[string]any{"undecodable": err.Error()}
	}
	scheme.Default(external)
	if err := scheme.Convert(external, internal, nil); err != nil {
		panic(err)
	}
	if errs := validation.ValidateCustomResourceDefinition(context.Background(), internal); len(errs) > 0 {
		return map[string]any{"definition": words(errs)}
	}
	props, err := apiextensions.GetSchemaForVersion(internal, "v1")
	if err != nil {
		panic(err)
	}
	structural, err := schema.NewStructural(props.OpenAPIV3Schema)
	if err != nil {
		panic(err)
	}
	settle := func(raw json.RawMessage) (map[string]any, []string) {
		found := object(raw)
		unknown := pruning.PruneWithOptions(found, structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
		defaulting.PruneNonNullableNullsWithoutDefaults(found, structural)
		defaulting.Default(found, structural)
		return found, unknown
	}
	found, unknown := settle(one.Object)
	old, _ := settle(one.Old)
	validator, _, err := values.NewSchemaValidator(props.OpenAPIV3Schema)
	if err != nil {
		panic(err)
	}
	errs := values.ValidateCustomResource(nil, found, validator)
	errs = append(errs, objectmeta.Validate(context.Background(), nil, found, structural, false)...)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, structural, found)...)
	correlated := common.NewCorrelatedObject(found, old, &model.Structural{Structural: structural})
	update := values.ValidateCustomResourceUpdate(nil, found, old, validator, values.WithRatcheting(correlated))
	return map[string]any{"object": found, "unknown": unknown, "errors": words(errs), "update": words(update)}
}

func main() {
	scheme := runtime.NewScheme()
	install.Install(scheme)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<26)
	encoder := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var one kase
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			panic(err)
		}
		if err := encoder.Encode(answer(one, scheme)); err != nil {
			panic(err)
		}
	}
}
