// Package flow is what a module in Go imports, and the host that runs modules: runtimes/PROTOCOL.md is what it speaks.
package flow

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Serve is the generated main: it runs the units for the runner at the other end of the two pipes that are the last
// arguments.
func Serve(units map[string]Unit) {
	fail := func(err error) {
		fmt.Fprintln(os.NewFile(2, "stderr"), "the go host:", err)
		os.Exit(1)
	}
	if len(os.Args) < 3 {
		fail(fmt.Errorf("usage: %s INPUT OUTPUT", os.Args[0]))
	}
	link, err := openLink(os.Args[len(os.Args)-2], os.Args[len(os.Args)-1])
	if err != nil {
		fail(err)
	}
	e := &engine{link: link, units: units, slots: map[uint16]*slot{}, channels: map[uint16]*input{}}
	e.running.Store(allSlots)
	if e.prints, err = capture(e); err != nil {
		fail(err)
	}
	version := strings.TrimPrefix(runtime.Version(), "go")
	link.writeFrame(frame{kind: kindHello, body: encoded(map[string]any{
		"protocol": 1, "runtime": "go", "version": version, "pid": os.Getpid(),
	})})
	switch err := e.run(); err {
	case errProtocol:
		os.Exit(3)
	default:
		os.Exit(0) // the end of the input
	}
}
