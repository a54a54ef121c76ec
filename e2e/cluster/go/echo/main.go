// echo answers every request with its own host name and the path that was asked for.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	host, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	server := http.Server{Addr: ":8080", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.Print(r.Method, " ", r.URL.Path)
		fmt.Fprintf(w, "%s %s\n", host, r.URL.Path)
	})}
	go func() {
		<-ended.Done()
		server.Shutdown(context.Background())
	}()
	log.Print(server.ListenAndServe())
}
