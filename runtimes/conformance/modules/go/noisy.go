package module

import (
	"fmt"
	"os"

	"flow"
)

func Run(c *flow.Context, m any) (any, error) {
	fmt.Println("to stdout", m)
	fmt.Fprintln(os.Stderr, "to stderr", m)
	c.Log("warning", "to the log")
	return m, nil
}
