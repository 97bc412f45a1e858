// Package flow is what a module in Go imports, and the host that runs modules: runtimes/PROTOCOL.md is what it speaks.
package flow

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
)

// ballast is memory that is never touched, so it costs none: the collector begins when as much has been allocated as there
// is, and without it that would be every 4 MB, a hundred times a second.
var ballast = make([]byte, 32<<20)

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
	e.arrived = sync.NewCond(&e.mutex)
	e.running.Store(allSlots)
	if e.prints, err = capture(e); err != nil {
		fail(err)
	}
	version := strings.TrimPrefix(runtime.Version(), "go")
	link.writeFrame(frame{kind: kindHello, body: encoded(map[string]any{
		"protocol": 1, "runtime": "go", "version": version, "pid": os.Getpid(),
	})})
	defer func() {
		if value := recover(); value != nil {
			fail(fmt.Errorf("%v\n%s", value, debug.Stack()))
		}
	}()
	err = e.run()
	runtime.KeepAlive(ballast)
	if err == errProtocol {
		os.Exit(3)
	}
	os.Exit(0) // the end of the input
}
