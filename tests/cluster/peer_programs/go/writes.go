package main

import (
	"context"
	"time"

	apps "k8s.io/api/apps/v1"
	authentication "k8s.io/api/authentication/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

func pointer[T any](value T) *T { return &value }

func write(ctx context.Context, api *kubernetes.Clientset, namespace string) error {
	if err := token(ctx, api, namespace); err != nil {
		return err
	}
	if err := deployment(ctx, api, namespace); err != nil {
		return err
	}
	return lease(ctx, api, namespace)
}

func token(ctx context.Context, api *kubernetes.Clientset, namespace string) error {
	asked := &authentication.TokenRequest{Spec: authentication.TokenRequestSpec{
		Audiences: []string{"sts.amazonaws.com"}, ExpirationSeconds: pointer(int64(900)),
	}}
	answer, err := api.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, "default", asked, meta.CreateOptions{})
	if err != nil {
		return err
	}
	say(line{
		"event": "token", "token": answer.Status.Token, "seconds": answer.Spec.ExpirationSeconds,
		"left": int(time.Until(answer.Status.ExpirationTimestamp.Time).Seconds()),
	})
	return nil
}

func deployment(ctx context.Context, api *kubernetes.Clientset, namespace string) error {
	labels := map[string]string{"app": "peer"}
	wanted := &apps.Deployment{
		ObjectMeta: meta.ObjectMeta{Name: "peer", Labels: labels},
		Spec: apps.DeploymentSpec{
			Replicas: pointer(int32(0)), // no pod has to run for this
			Selector: &meta.LabelSelector{MatchLabels: labels},
			Template: core.PodTemplateSpec{
				ObjectMeta: meta.ObjectMeta{Labels: labels},
				Spec:       core.PodSpec{Containers: []core.Container{{Name: "main", Image: "example.com/peer:1"}}},
			},
		},
	}
	made, err := api.AppsV1().Deployments(namespace).Create(ctx, wanted, meta.CreateOptions{})
	if err != nil {
		return err
	}
	say(line{"event": "deployment", "uid": made.UID, "generation": made.Generation,
		"strategy": made.Spec.Strategy.Type, "image": made.Spec.Template.Spec.Containers[0].Image})
	return nil
}

func lease(ctx context.Context, api *kubernetes.Clientset, namespace string) error {
	leases := api.CoordinationV1().Leases(namespace)
	// microseconds are what a Lease's times hold: a loss of precision would show
	at := meta.NewMicroTime(time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC))
	wanted := &coordination.Lease{
		ObjectMeta: meta.ObjectMeta{Name: "written"},
		Spec:       coordination.LeaseSpec{HolderIdentity: pointer("one"), RenewTime: &at},
	}
	made, err := leases.Create(ctx, wanted, meta.CreateOptions{})
	if err != nil {
		return err
	}
	made.Spec.HolderIdentity = pointer("two")
	changed, err := leases.Update(ctx, made, meta.UpdateOptions{})
	if err != nil {
		return err
	}
	say(line{"event": "lease", "holder": changed.Spec.HolderIdentity, "kept": changed.Spec.RenewTime.Equal(&at)})
	_, err = leases.Update(ctx, made, meta.UpdateOptions{}) // made's version is old by now
	say(line{"event": "stale", "error": err.Error()})
	return nil
}
