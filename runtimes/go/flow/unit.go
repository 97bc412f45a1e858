package flow

import "flow/internal/data"

// Source is what Start may return: the host calls it whenever the runner wants a message. Each call is a turn of its own:
// its value (nil is none) goes to the port "out", its context changes are committed with it. false ends the source. It runs
// in a goroutine of its own, so it may block, and beside Run.
type Source func() (value any, more bool, err error)

// Unit is a module's text as the generated main has compiled it.
type Unit struct {
	Run     func(*Context, any) (any, error)
	Start   func(*Context) (Source, error)
	Stop    func(*Context) error
	Migrate func(*Context, int) error
}

// Handler adapts a Run with types of its own.
func Handler[M, R any](run func(*Context, M) (R, error)) func(*Context, any) (any, error) {
	if plain, is := any(run).(func(*Context, any) (any, error)); is {
		return plain
	}
	return func(c *Context, value any) (any, error) {
		message, err := messageOf[M](value)
		if err != nil {
			return nil, err
		}
		result, err := run(c, message)
		return result, err
	}
}

// Sink adapts a Run that only answers with an error.
func Sink[M any](run func(*Context, M) error) func(*Context, any) (any, error) {
	return func(c *Context, value any) (any, error) {
		message, err := messageOf[M](value)
		if err != nil {
			return nil, err
		}
		return nil, run(c, message)
	}
}

func messageOf[M any](value any) (M, error) {
	if message, is := value.(M); is {
		return message, nil
	}
	var message M
	if value == any(Null) {
		value = nil
	}
	err := data.Assign(&message, value)
	return message, dataError(err)
}

// Hook adapts a Start that returns no source.
func Hook(start func(*Context) error) func(*Context) (Source, error) {
	return func(c *Context) (Source, error) { return nil, start(c) }
}
