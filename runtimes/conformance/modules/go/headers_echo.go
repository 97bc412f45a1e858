package module

import "flow"

func Run(c *flow.Context, m any) (any, error) {
	return map[string]any{
		"headers":     c.Headers(),
		"port":        c.Port(),
		"id":          c.MessageID(),
		"redelivered": c.Redelivered(),
		"module":      c.ModuleID(),
		"flow":        c.FlowID(),
	}, nil
}
