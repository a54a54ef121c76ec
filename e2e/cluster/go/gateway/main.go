// gateway drives a picker as a gateway in Go would, over grpc-go: one JSON object on standard output says what it saw.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extproc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

var (
	address = flag.String("address", "", "host:port of the picker")
	secure  = flag.Bool("tls", false, "speak TLS, and accept any certificate")
	count   = flag.Int("streams", 50, "exchanges at the same time")
	size    = flag.Int("size", 200_000, "bytes of a request's body, and of its answer")
)

type seen struct {
	Answered  int               `json:"answered"`  // exchanges that were answered whole
	Echoed    int               `json:"echoed"`    // bytes that came back of requests and answers
	Halved    string            `json:"halved"`    // how an exchange ended whose client said its last after the request
	Cancelled string            `json:"cancelled"` // how one ended that was given up
	Late      string            `json:"late"`      // how one ended that passed its deadline
	TooLarge  string            `json:"tooLarge"`  // how one ended that sent a message of 5 MB
	Unknown   string            `json:"unknown"`   // how a call of a service ended that is not there
	Health    map[string]string `json:"health"`    // what was said of services asked for
	Watched   []string          `json:"watched"`   // what was told to one who watches
}

func main() {
	flag.Parse()
	channel := connect()
	defer channel.Close()
	client := extproc.NewExternalProcessorClient(channel)
	found := seen{Health: map[string]string{}}
	found.exchanges(client)
	found.endings(client, channel)
	found.health(grpc_health_v1.NewHealthClient(channel))
	must(json.NewEncoder(os.Stdout).Encode(found))
}

func connect() *grpc.ClientConn {
	security := insecure.NewCredentials()
	if *secure {
		security = credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})
	}
	alive := keepalive.ClientParameters{Time: 10 * time.Second, PermitWithoutStream: true}
	channel, err := grpc.NewClient(*address, grpc.WithTransportCredentials(security), grpc.WithKeepaliveParams(alive))
	must(err)
	return channel
}

// exchanges has many requests answered at once, whose bodies go both ways.
func (found *seen) exchanges(client extproc.ExternalProcessorClient) {
	var all sync.WaitGroup
	var lock sync.Mutex
	for range *count {
		all.Go(func() {
			echoed := exchange(client)
			lock.Lock()
			defer lock.Unlock()
			found.Answered++
			found.Echoed += echoed
		})
	}
	all.Wait()
}

func exchange(client extproc.ExternalProcessorClient) int {
	stream := begin(context.Background(), client)
	echoed := routed(stream)
	send(stream, &extproc.ProcessingRequest{Request: &extproc.ProcessingRequest_ResponseHeaders{
		ResponseHeaders: headers(":status", "200")}})
	receive(stream)
	go func() {
		for left := *size; left > 0; left -= 1000 {
			send(stream, &extproc.ProcessingRequest{Request: &extproc.ProcessingRequest_ResponseBody{
				ResponseBody: &extproc.HttpBody{Body: make([]byte, min(left, 1000)), EndOfStream: left <= 1000}}})
		}
	}()
	echoed += echo(stream, (*extproc.ProcessingResponse).GetResponseBody)
	if _, err := stream.Recv(); err != io.EOF {
		panic(err)
	}
	return echoed
}

// routed sends a request's body and reads where it goes; it returns how much of the body came back.
func routed(stream extproc.ExternalProcessor_ProcessClient) int {
	go func() {
		request := body()
		for len(request) > 0 {
			piece := request[:min(len(request), 300_000)]
			request = request[len(piece):]
			send(stream, &extproc.ProcessingRequest{Request: &extproc.ProcessingRequest_RequestBody{
				RequestBody: &extproc.HttpBody{Body: piece, EndOfStream: len(request) == 0}}})
		}
	}()
	receive(stream)
	return echo(stream, (*extproc.ProcessingResponse).GetRequestBody)
}

// echo reads a body that comes back, and returns how long it was.
func echo(stream extproc.ExternalProcessor_ProcessClient, part func(*extproc.ProcessingResponse) *extproc.BodyResponse) int {
	length := 0
	for {
		piece := part(receive(stream)).GetResponse().GetBodyMutation().GetStreamedResponse()
		length += len(piece.GetBody())
		if piece.GetEndOfStream() {
			return length
		}
	}
}

// endings ends exchanges in every other way.
func (found *seen) endings(client extproc.ExternalProcessorClient, channel *grpc.ClientConn) {
	halved := begin(context.Background(), client)
	routed(halved)
	must(halved.CloseSend())
	found.Halved = ending(halved)

	ctx, cancel := context.WithCancel(context.Background())
	cancelled := begin(ctx, client)
	cancel()
	found.Cancelled = ending(cancelled)

	ctx, cancel = context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	found.Late = ending(begin(ctx, client))

	large := begin(context.Background(), client)
	large.Send(&extproc.ProcessingRequest{Request: &extproc.ProcessingRequest_RequestBody{
		RequestBody: &extproc.HttpBody{Body: make([]byte, 5_000_000)}}})
	found.TooLarge = ending(large)

	found.Unknown = status.Code(channel.Invoke(context.Background(), "/no.such/Service",
		&grpc_health_v1.HealthCheckRequest{}, &grpc_health_v1.HealthCheckResponse{})).String()
}

func ending(stream extproc.ExternalProcessor_ProcessClient) string {
	for {
		if _, err := stream.Recv(); err == io.EOF {
			return "OK"
		} else if err != nil {
			return status.Code(err).String()
		}
	}
}

func (found *seen) health(client grpc_health_v1.HealthClient) {
	for _, service := range []string{"", "readiness", "liveness", "envoy.service.ext_proc.v3.ExternalProcessor", "other"} {
		answer, err := client.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{Service: service})
		if err != nil {
			found.Health[service] = status.Code(err).String()
		} else {
			found.Health[service] = answer.Status.String()
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	watch, err := client.Watch(ctx, &grpc_health_v1.HealthCheckRequest{Service: "readiness"})
	must(err)
	told, err := watch.Recv()
	must(err)
	cancel()
	_, err = watch.Recv()
	found.Watched = []string{told.Status.String(), status.Code(err).String()}
}

func begin(ctx context.Context, client extproc.ExternalProcessorClient) extproc.ExternalProcessor_ProcessClient {
	stream, err := client.Process(ctx)
	must(err)
	send(stream, &extproc.ProcessingRequest{Request: &extproc.ProcessingRequest_RequestHeaders{
		RequestHeaders: headers(":method", "POST", ":path", "/v1/chat/completions", "content-type", "application/json")}})
	return stream
}

func headers(fields ...string) *extproc.HttpHeaders {
	named := &core.HeaderMap{}
	for i := 0; i < len(fields); i += 2 {
		named.Headers = append(named.Headers, &core.HeaderValue{Key: fields[i], RawValue: []byte(fields[i+1])})
	}
	return &extproc.HttpHeaders{Headers: named}
}

func body() []byte {
	made, err := json.Marshal(map[string]any{
		"model":    "auto",
		"messages": []map[string]string{{"role": "user", "content": strings.Repeat("x", *size)}},
	})
	must(err)
	return made
}

func send(stream extproc.ExternalProcessor_ProcessClient, message *extproc.ProcessingRequest) {
	must(stream.Send(message))
}

func receive(stream extproc.ExternalProcessor_ProcessClient) *extproc.ProcessingResponse {
	message, err := stream.Recv()
	must(err)
	if refused := message.GetImmediateResponse(); refused != nil {
		panic(refused.Status.Code)
	}
	return message
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
