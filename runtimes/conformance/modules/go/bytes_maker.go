package module

import "flow"

func Run(c *flow.Context, m any) (any, error) {
	switch m {
	case "bytes":
		return []byte{0, 1, 255}, nil
	case "object":
		return map[string]any{"$bytes": "AAH/"}, nil
	case "escaped":
		return map[string]any{"$$bytes": "AAH/"}, nil
	}
	content := m.([]byte)
	return []any{len(content), content[len(content)-1]}, nil
}
