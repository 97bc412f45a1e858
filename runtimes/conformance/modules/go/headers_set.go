package module

import (
	"fmt"

	"flow"
)

func Run(c *flow.Context, m any) error {
	message := m.(map[string]any)
	headers := map[string]string{}
	for name, value := range message["headers"].(map[string]any) {
		text, is := value.(string)
		if !is {
			return fmt.Errorf("header %q is not a string", name) // Go has no such headers
		}
		headers[name] = text
	}
	return c.Send("out", message["value"], headers)
}
