package module

import (
	"runtime"
	"time"

	"flow"
)

func Run(c *flow.Context, m any) (any, error) {
	for i := 0; i < 3; i++ { // the process's own stdout and stderr must not be collected
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	go func() { panic("last words") }()
	time.Sleep(10 * time.Second)
	return m, nil
}
