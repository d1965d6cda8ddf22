package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const turn = 60 * time.Second // generous: how long a candidate may wait for its turn

func elect(ctx context.Context, api *kubernetes.Clientset, namespace string) error {
	var leaders atomic.Int32
	led, watched := make(chan string, 2), make(chan string, 2)
	var running sync.WaitGroup
	resign := map[string]context.CancelFunc{}
	for _, name := range []string{"one", "two"} {
		candidacy, cancel := context.WithCancel(ctx)
		defer cancel()
		resign[name] = cancel
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: &resourcelock.LeaseLock{
				LeaseMeta:  meta.ObjectMeta{Name: "election", Namespace: namespace},
				Client:     api.CoordinationV1(),
				LockConfig: resourcelock.ResourceLockConfig{Identity: name},
			},
			LeaseDuration:   15 * time.Second,
			RenewDeadline:   10 * time.Second,
			RetryPeriod:     time.Second,
			ReleaseOnCancel: true,
			Name:            name,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(leading context.Context) {
					say(line{"event": "leads", "name": name, "leaders": leaders.Add(1)})
					led <- name
					<-leading.Done()
				},
				OnStoppedLeading: func() {},
				OnNewLeader: func(leader string) {
					say(line{"event": "sees", "name": name, "leader": leader})
					if leader != name {
						watched <- name
					}
				},
			},
		})
		if err != nil {
			return err
		}
		running.Go(func() { elector.Run(candidacy) })
	}
	first, err := next(led)
	if err != nil {
		return err
	}
	if err := renewed(ctx, api, namespace, first); err != nil {
		return err
	}
	if _, err := next(watched); err != nil {
		return err
	}
	leaders.Add(-1)
	resign[first]()
	second, err := next(led)
	if err != nil {
		return err
	}
	lease, err := api.CoordinationV1().Leases(namespace).Get(ctx, "election", meta.GetOptions{})
	if err != nil {
		return err
	}
	say(line{"event": "handed over", "first": first, "second": second,
		"holder": lease.Spec.HolderIdentity, "transitions": lease.Spec.LeaseTransitions})
	resign[second]()
	running.Wait()
	return nil
}

func next(led <-chan string) (string, error) {
	select {
	case name := <-led:
		return name, nil
	case <-time.After(turn):
		return "", fmt.Errorf("no candidate had its turn after %s", turn)
	}
}

// renewed waits until the leader has renewed its Lease, and the Lease is still its own.
func renewed(ctx context.Context, api *kubernetes.Clientset, namespace, leader string) error {
	var since *meta.MicroTime
	for end := time.Now().Add(turn); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		lease, err := api.CoordinationV1().Leases(namespace).Get(ctx, "election", meta.GetOptions{})
		if err != nil {
			return err
		}
		if *lease.Spec.HolderIdentity != leader {
			return fmt.Errorf("%s leads, the Lease is held by %s", leader, *lease.Spec.HolderIdentity)
		}
		if since == nil {
			since = lease.Spec.RenewTime
		}
		if lease.Spec.RenewTime.After(since.Time) {
			say(line{"event": "renewed", "name": leader})
			return nil
		}
	}
	return fmt.Errorf("%s did not renew its Lease in %s", leader, turn)
}
