package main

import (
	"context"
	"fmt"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

func seen(event string, object any) {
	if late, is := object.(cache.DeletedFinalStateUnknown); is {
		object = late.Obj
	}
	item := object.(*core.ConfigMap)
	say(line{"event": event, "name": item.Name, "data": item.Data})
}

// shortWatches has the API server itself end each watch after two seconds.
func shortWatches(options *meta.ListOptions) {
	if options.TimeoutSeconds != nil {
		options.TimeoutSeconds = pointer(int64(2))
	}
}

func inform(ctx context.Context, api *kubernetes.Clientset, namespace string) error {
	factory := informers.NewSharedInformerFactoryWithOptions(api, 0,
		informers.WithNamespace(namespace), informers.WithTweakListOptions(shortWatches))
	informer := factory.Core().V1().ConfigMaps().Informer()
	handler, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { seen("add", object) },
		UpdateFunc: func(_, object any) { seen("update", object) },
		DeleteFunc: func(object any) { seen("delete", object) },
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), handler.HasSynced) { // what is there was told to the handler too
		return fmt.Errorf("the cache did not sync")
	}
	say(line{"event": "synced"})
	<-ctx.Done()
	factory.Shutdown()
	return nil
}
