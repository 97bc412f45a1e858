package module

import (
	"errors"
	"fmt"
	"io"
	"os"

	"flow"
)

type far struct{ by int }

func (f *far) Error() string { return fmt.Sprint("too far by ", f.by) }

func deeper(m string) (any, error) {
	if m == "deeper" {
		return nil, io.EOF // compared below
	}
	return m, nil
}

func fails() (any, error) { return nil, errors.New("called") }

func Run(c *flow.Context, m string) (any, error) {
	switch m {
	case "plain":
		return nil, errors.New("plain") // PLAIN
	case "typed":
		return nil, &far{3} // TYPED
	case "own":
		return nil, &flow.Error{Type: "OutOfRange", Text: "out"} // OWN
	case "read":
		_, err := os.ReadFile("no such file")
		return nil, err // READ
	case "write":
		return nil, fmt.Errorf("wrapped: %w", os.MkdirAll("/proc/nowhere", 0o777)) // WRITE
	case "call":
		return fails() // CALL
	case "panic":
		panic(&os.PathError{Op: "open", Path: "there", Err: os.ErrNotExist}) // PANIC
	}
	result, err := deeper(m)
	if err == io.EOF {
		return "the end", nil
	}
	check := func() error { return err }
	return result, check()
}

func Stop(c *flow.Context) error {
	return errors.New("cannot stop") // STOP
}

func Start(c *flow.Context) (flow.Source, error) {
	return func() (any, bool, error) {
		return nil, true, errors.New("no more") // START
	}, nil
}
