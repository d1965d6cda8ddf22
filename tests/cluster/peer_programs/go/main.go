// Client-go's everyday use of a cluster, told on standard output as one JSON object a line.
//
//	peer informer KUBECONFIG NAMESPACE   follow the namespace's ConfigMaps until standard input ends
//	peer writes KUBECONFIG NAMESPACE     a token, a Deployment and a Lease by the typed client, in protobuf
//	peer election KUBECONFIG NAMESPACE   two candidates for one Lease; the leader gives way once
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

type line map[string]any

var saying sync.Mutex

func say(what line) {
	saying.Lock()
	defer saying.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(what); err != nil {
		os.Exit(1)
	}
}

// told says each request before it goes out, so that the test sees what client-go really asked.
type told struct{ next http.RoundTripper }

func (t told) RoundTrip(request *http.Request) (*http.Response, error) {
	say(line{
		"event":  "request",
		"method": request.Method,
		"path":   request.URL.Path,
		"query":  request.URL.RawQuery,
		"type":   request.Header.Get("Content-Type"),
	})
	return t.next.RoundTrip(request)
}

func client(kubeconfig, contentType string) (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return told{next} })
	if contentType != "" {
		config.ContentType = contentType
		config.AcceptContentTypes = contentType + "," + runtime.ContentTypeJSON
	}
	return kubernetes.NewForConfig(rest.AddUserAgent(config, "iambridge-test"))
}

func run(words []string) error {
	if len(words) != 3 {
		return fmt.Errorf("usage: peer informer|writes|election KUBECONFIG NAMESPACE")
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	contentType := runtime.ContentTypeProtobuf
	if words[0] == "informer" {
		contentType = "" // what a program that sets nothing gets
	}
	api, err := client(words[1], contentType)
	if err != nil {
		return err
	}
	switch words[0] {
	case "informer":
		go func() { // the test closes standard input when it has seen enough
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
		return inform(ctx, api, words[2])
	case "writes":
		return write(ctx, api, words[2])
	case "election":
		return elect(ctx, api, words[2])
	}
	return fmt.Errorf("no such work: %s", words[0])
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
