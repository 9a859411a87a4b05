// A server for tests that speaks the protocol of MongoDB and keeps all in SQLite: ferretdb ADDRESS FOLDER.
package main

import (
	"context"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	quiet := &slog.HandlerOptions{Level: slog.LevelWarn}
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, quiet)))
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: os.Args[1]},
		Handler:   "sqlite",
		SQLiteURL: "file:" + os.Args[2] + "/", // without the slash it is refused
	})
	if err != nil {
		log.Fatal(err)
	}
	stopped, forget := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer forget()
	if err := server.Run(stopped); err != nil {
		log.Fatal(err)
	}
}
