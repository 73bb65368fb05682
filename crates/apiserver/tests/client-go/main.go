// A controller with all that client-go has for one: shared informers (by
// streaming lists), a work queue, leader election with a hand-over, recorded
// events that are counted and combined. Prints what came of it as JSON, without
// anything that may differ between two API servers.
//
// Usage: client-go NAMESPACE GROUP, with KUBECONFIG set and `widgets` of GROUP defined.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
)

type outcome struct {
	// What the handlers of the informers were told, in order, by object.
	Seen map[string][]string `json:"seen"`
	// Secrets that the controller made, and the kind of their owner.
	Secrets []string `json:"secrets"`
	// How often the queue was asked to try again.
	Retries int `json:"retries"`
	// Who led, in order, and the lease at the end.
	Leaders     []string `json:"leaders"`
	Transitions int32    `json:"transitions"`
	Holder      string   `json:"holder"`
	Events      []string `json:"events"`
	Widgets     []string `json:"widgets"`
}

var (
	mutex  sync.Mutex
	result = outcome{Seen: map[string][]string{}}
)

func saw(kind, name, what string) {
	mutex.Lock()
	defer mutex.Unlock()
	key := kind + "/" + name
	result.Seen[key] = append(result.Seen[key], what)
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func until(what string, done func() bool) {
	err := wait.PollUntilContextTimeout(context.Background(), 20*time.Millisecond, time.Minute, true,
		func(context.Context) (bool, error) { return done(), nil })
	if err != nil {
		fmt.Fprintf(os.Stderr, "never happened: %s\n", what)
		os.Exit(1)
	}
}

func seen(kind, name, what string) func() bool {
	return func() bool {
		mutex.Lock()
		defer mutex.Unlock()
		for _, each := range result.Seen[kind+"/"+name] {
			if each == what {
				return true
			}
		}
		return false
	}
}

func handlers(kind string, enqueue func(string)) cache.ResourceEventHandler {
	name := func(obj any) string {
		if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = gone.Obj
		}
		return obj.(metav1.Object).GetName()
	}
	return cache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(obj any, initial bool) {
			if initial {
				saw(kind, name(obj), "was there")
			} else {
				saw(kind, name(obj), "added")
			}
			enqueue(name(obj))
		},
		UpdateFunc: func(_, obj any) { saw(kind, name(obj), "updated"); enqueue(name(obj)) },
		DeleteFunc: func(obj any) { saw(kind, name(obj), "deleted"); enqueue(name(obj)) },
	}
}

func main() {
	namespace, group := os.Args[1], os.Args[2]
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	must(err)
	config.QPS, config.Burst = 200, 200
	// As the controllers of Kubernetes itself do for the core kinds.
	typed := rest.CopyConfig(config)
	typed.ContentType = "application/vnd.kubernetes.protobuf"
	typed.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	client := kubernetes.NewForConfigOrDie(typed)
	widgets := dynamic.NewForConfigOrDie(config)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	controller(ctx, client, widgets, namespace, schema.GroupVersionResource{Group: group, Version: "v1", Resource: "widgets"})
	election(ctx, client, namespace)
	events(ctx, client, namespace)

	mutex.Lock()
	defer mutex.Unlock()
	text, err := json.MarshalIndent(result, "", "  ")
	must(err)
	fmt.Println(string(text))
}

// controller makes a Secret for each ConfigMap with the label copy=yes.
func controller(ctx context.Context, client kubernetes.Interface, widgets dynamic.Interface, namespace string, resource schema.GroupVersionResource) {
	maps := client.CoreV1().ConfigMaps(namespace)
	first := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "first", Labels: map[string]string{"copy": "yes"}}, Data: map[string]string{"a": "b"}}
	_, err := maps.Create(ctx, first, metav1.CreateOptions{})
	must(err)

	queue := workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](5*time.Millisecond, time.Second))
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace))
	lister := factory.Core().V1().ConfigMaps().Lister().ConfigMaps(namespace)
	_, err = factory.Core().V1().ConfigMaps().Informer().AddEventHandler(handlers("configmap", queue.Add))
	must(err)
	_, err = factory.Core().V1().Secrets().Informer().AddEventHandler(handlers("secret", func(string) {}))
	must(err)
	custom := dynamicinformer.NewFilteredDynamicSharedInformerFactory(widgets, 0, namespace, nil)
	_, err = custom.ForResource(resource).Informer().AddEventHandler(handlers("widget", func(string) {}))
	must(err)
	factory.Start(ctx.Done())
	custom.Start(ctx.Done())
	for _, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			must(fmt.Errorf("an informer did not sync"))
		}
	}
	custom.WaitForCacheSync(ctx.Done())

	failed, worked := map[string]bool{}, map[string]string{}
	go func() {
		for {
			name, shutdown := queue.Get()
			if shutdown {
				return
			}
			version, err := copyOf(ctx, client, lister.Get, namespace, name, failed)
			mutex.Lock()
			if err != nil {
				result.Retries++
				queue.AddRateLimited(name)
			} else {
				worked[name] = version
				queue.Forget(name)
			}
			mutex.Unlock()
			queue.Done(name)
		}
	}()

	until("the secret of the first map", seen("secret", "first", "added"))
	second := first.DeepCopy()
	second.Name = "second"
	_, err = maps.Create(ctx, second, metav1.CreateOptions{})
	must(err)
	until("the secret of the second map", seen("secret", "second", "added"))
	patched, err := maps.Patch(ctx, "first", types.StrategicMergePatchType, []byte(`{"data":{"c":"d"}}`), metav1.PatchOptions{})
	must(err)
	until("the update of the first map", seen("configmap", "first", "updated"))
	// A controller still at work on the update could make the secret anew, for
	// its cache has the map, after the collector has taken it.
	until("the controller's work on the update", func() bool {
		mutex.Lock()
		defer mutex.Unlock()
		return worked["first"] == patched.ResourceVersion
	})
	must(maps.Delete(ctx, "first", metav1.DeleteOptions{}))
	until("the end of the first map", seen("configmap", "first", "deleted"))
	until("the end of its secret", seen("secret", "first", "deleted"))

	own := widgets.Resource(resource).Namespace(namespace)
	widget := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": resource.GroupVersion().String(), "kind": "Widget",
		"metadata": map[string]any{"name": "w"}, "spec": map[string]any{"size": int64(3)},
	}}
	_, err = own.Create(ctx, widget, metav1.CreateOptions{})
	must(err)
	until("the widget", seen("widget", "w", "added"))
	found, err := own.Get(ctx, "w", metav1.GetOptions{})
	must(err)
	stale := found.DeepCopy()
	must(unstructured.SetNestedField(found.Object, int64(4), "spec", "size"))
	_, err = own.Update(ctx, found, metav1.UpdateOptions{})
	must(err)
	must(unstructured.SetNestedField(stale.Object, int64(5), "spec", "size"))
	_, err = own.Update(ctx, stale, metav1.UpdateOptions{})
	result.Widgets = append(result.Widgets, fmt.Sprint("stale update is a conflict: ", apierrors.IsConflict(err)))
	_, err = own.Create(ctx, widget, metav1.CreateOptions{})
	result.Widgets = append(result.Widgets, fmt.Sprint("second create exists already: ", apierrors.IsAlreadyExists(err)))
	_, err = own.Get(ctx, "nobody", metav1.GetOptions{})
	result.Widgets = append(result.Widgets, fmt.Sprint("a missing one is not found: ", apierrors.IsNotFound(err)))
	until("the widget's update", seen("widget", "w", "updated"))
	must(own.Delete(ctx, "w", metav1.DeleteOptions{}))
	until("the widget's end", seen("widget", "w", "deleted"))

	cached, err := lister.List(labels.Everything())
	must(err)
	for _, each := range cached {
		result.Secrets = append(result.Secrets, "cached map "+each.Name)
	}
	secrets, err := client.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{})
	must(err)
	for _, each := range secrets.Items {
		result.Secrets = append(result.Secrets, fmt.Sprintf("%s of %s, %s", each.Name, each.OwnerReferences[0].Kind, each.Data["from"]))
	}
	queue.ShutDown()
}

// copyOf makes the Secret, and answers with the version of the map that it read.
func copyOf(ctx context.Context, client kubernetes.Interface, get func(string) (*corev1.ConfigMap, error), namespace, name string, failed map[string]bool) (string, error) {
	source, err := get(name)
	if apierrors.IsNotFound(err) || (err == nil && source.Labels["copy"] != "yes") {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if !failed[name] {
		failed[name] = true
		return "", fmt.Errorf("the first attempt always fails")
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(source, corev1.SchemeGroupVersion.WithKind("ConfigMap"))}},
		StringData: map[string]string{"from": source.Data["a"]},
	}
	_, err = client.CoreV1().Secrets(namespace).Create(ctx, secret, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		err = nil
	}
	return source.ResourceVersion, err
}

// election has two contenders for one lease; the first gives it up.
func election(ctx context.Context, client kubernetes.Interface, namespace string) {
	leads := map[string]chan struct{}{"one": make(chan struct{}), "two": make(chan struct{})}
	ended := map[string]chan struct{}{"one": make(chan struct{}), "two": make(chan struct{})}
	contend := func(ctx context.Context, name string) {
		lock := &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: "leader"},
			Client:     client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: name},
		}
		leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock: lock, LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 200 * time.Millisecond,
			ReleaseOnCancel: true,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) {
					mutex.Lock()
					result.Leaders = append(result.Leaders, name)
					mutex.Unlock()
					close(leads[name])
				},
				OnStoppedLeading: func() { close(ended[name]) },
			},
		})
	}
	first, stopFirst := context.WithCancel(ctx)
	second, stopSecond := context.WithCancel(ctx)
	go contend(first, "one")
	<-leads["one"]
	go contend(second, "two")
	// Long enough for the second to have asked in vain.
	time.Sleep(700 * time.Millisecond)
	select {
	case <-leads["two"]:
		must(fmt.Errorf("two leaders"))
	default:
	}
	stopFirst()
	<-ended["one"]
	<-leads["two"]
	lease, err := client.CoordinationV1().Leases(namespace).Get(ctx, "leader", metav1.GetOptions{})
	must(err)
	result.Holder = *lease.Spec.HolderIdentity
	result.Transitions = *lease.Spec.LeaseTransitions
	stopSecond()
	<-ended["two"]
}

// events records one event often, and many that are alike.
func events(ctx context.Context, client kubernetes.Interface, namespace string) {
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events(namespace)})
	recorder := broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "painter"})
	about, err := client.CoreV1().ConfigMaps(namespace).Get(ctx, "second", metav1.GetOptions{})
	must(err)
	for range 3 {
		recorder.Event(about, corev1.EventTypeNormal, "Painted", "it is red now")
	}
	for i := range 14 {
		recorder.Eventf(about, corev1.EventTypeWarning, "Scratched", "scratch number %d", i)
	}
	list := func() []string {
		found, err := client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=second"})
		must(err)
		var all []string
		for _, each := range found.Items {
			all = append(all, fmt.Sprintf("%s %s %d: %s (%s)", each.Type, each.Reason, each.Count, each.Message, each.Source.Component))
		}
		sort.Strings(all)
		return all
	}
	want := "Warning Scratched 5: (combined from similar events): scratch number 13 (painter)"
	until("the combined event", func() bool {
		for _, each := range list() {
			if each == want {
				return true
			}
		}
		return false
	})
	broadcaster.Shutdown()
	result.Events = list()
}
