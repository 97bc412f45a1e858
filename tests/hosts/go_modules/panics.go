package module

import (
	"errors"
	"fmt"

	"flow"
)

type RangeError struct{ n int }

func (e RangeError) Error() string { return fmt.Sprint(e.n, " is too much") }

func write(table map[string]int) {
	table["x"] = 1 // INNER
}

func Run(c *flow.Context, m string) (string, error) {
	switch m {
	case "nil map":
		write(nil) // OUTER
	case "index":
		return string(m[len(m)]), nil
	case "error":
		return "", fmt.Errorf("plain: %w", errors.New("inner"))
	case "typed":
		return "", RangeError{9}
	case "own":
		panic(&flow.Error{Type: "OutOfRange", Text: "far out"})
	}
	return m, nil
}
