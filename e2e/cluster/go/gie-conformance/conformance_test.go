// Package conformance runs the conformance suite of Gateway API Inference Extension as it is, but for its fixtures:
// these are a file, so that another picker than the suite's own can stand behind the gateway.
package conformance

import (
	"context"
	"flag"
	"io/fs"
	"net"
	"os"
	"testing"

	"sigs.k8s.io/gateway-api-inference-extension/conformance"
)

var (
	fixtures = flag.String("fixtures", "", "folder whose base.yaml is applied in place of the suite's")
	resolver = flag.String("resolver", "", "HOST:PORT of the DNS server that knows the gateways' names; empty: the machine's")
)

func TestConformance(t *testing.T) {
	if *resolver != "" {
		net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: dialResolver}
	}
	options := conformance.DefaultOptions(t)
	options.ManifestFS = []fs.FS{os.DirFS(*fixtures), conformance.Manifests}
	options.BaseManifests = "base.yaml"
	conformance.RunConformanceWithOptions(t, options)
}

func dialResolver(ctx context.Context, network, _ string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, *resolver)
}
