package flow

import (
	"strconv"

	"flow/internal/data"
)

// output is one value that a handler has sent.
type output struct {
	port    string
	out     *out
	json    []byte // what is sent: a fused target gets it as it would have arrived
	headers map[string]string
	own     bool // the headers are not the inherited ones
	index   int
}

// output keeps an output of the running handler. What is sent to a port without a wire is checked and counted, too.
func (c *Context) output(port string, value any, headers []map[string]string) error {
	index := c.count
	c.count++
	out := c.slot.wiring()[port]
	if out == nil && c.slot.ports != nil && !c.slot.ports[port] {
		return newError("PortError", "%s declares no out-port %q", c.slot.module, port)
	}
	made := output{port: port, out: out, index: index}
	if len(headers) > 0 && headers[0] != nil {
		if err := checkHeaders(headers[0]); err != nil {
			return err
		}
		made.headers, made.own = copyHeaders(headers[0]), true
	}
	start := len(*c.arena)
	text, err := data.Append(*c.arena, value, c.slot.maxTurnBytes)
	if err != nil && err != data.TooLong {
		return dataError(err)
	}
	if err == nil {
		made.json = text[start:len(text):len(text)]
		c.bytes += len(made.json)
	} else {
		c.bytes += c.slot.maxTurnBytes + 1
	}
	if err := c.checkSize(); err != nil {
		return err
	}
	if out == nil {
		c.slot.sayUnwired(port)
		c.unwired++
		return nil
	}
	*c.arena = text
	if c.outputs == nil {
		c.outputs = c.one[:0]
	}
	c.outputs = append(c.outputs, made)
	c.sent++
	return nil
}

// checkSize refuses what is too much for one call, whichever way it goes.
func (c *Context) checkSize() error {
	if limit := c.slot.maxTurnBytes; c.bytes > limit {
		return newError("TurnTooLarge", "outputs of more than %d bytes", limit)
	}
	return nil
}

func checkHeaders(headers map[string]string) error {
	for name := range headers {
		if name != "client" && name != "traceparent" && (len(name) < 2 || name[:2] != "x-") {
			return newError("HeaderError", "header %q: only client, traceparent and x-* exist", name)
		}
	}
	text, err := data.Append(nil, headers, data.AnyLength)
	if err == nil && len(text) > maxHeaderBytes {
		return newError("HeaderError", "headers exceed %d bytes", maxHeaderBytes)
	}
	return dataError(err)
}

func copyHeaders(headers map[string]string) map[string]string {
	if len(headers) == 0 {
		return nil
	}
	result := make(map[string]string, len(headers))
	for name, value := range headers {
		result[name] = value
	}
	return result
}

// yield is a source's value: the module may go on using it.
func (c *Context) yield(value any) error {
	if data.IsNil(value) {
		return nil
	}
	return c.output("out", value, nil)
}

// headersText is the JSON of an output's headers, nil for none.
func (c *Context) headersText(o *output) []byte {
	headers := c.headers
	if o.own {
		headers = o.headers
	}
	if o.out.ids {
		all := map[string]any{"id": c.outputID(o.index)}
		for name, value := range headers {
			all[name] = value
		}
		return encoded(all)
	}
	if len(headers) == 0 {
		return nil
	}
	return encoded(headers)
}

func (c *Context) outputID(index int) string {
	return c.MessageID() + "/" + c.slot.module + "." + strconv.Itoa(index)
}
