package module

import (
	"errors"

	"flow"
)

func Run(c *flow.Context, m any) (any, error) {
	message := m.(map[string]any)
	changes, _ := message["set"].(map[string]any)
	for key, value := range changes {
		c.Set(key, value)
	}
	deleted, _ := message["delete"].([]any)
	for _, key := range deleted {
		c.Delete(key.(string))
	}
	if message["fail"] == true {
		return nil, errors.New("fails after its changes")
	}
	keys, values := c.Keys(), []any{}
	for _, key := range keys {
		values = append(values, c.Get(key))
	}
	return map[string]any{"keys": keys, "values": values, "missing": c.Get("missing", "default")}, nil
}
