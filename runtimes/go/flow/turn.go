package flow

import (
	"fmt"
	"os"

	"flow/internal/data"
)

// turn is one root message and all that is fused behind it, until it is known to stand. One is reused for all.
type turn struct {
	root     *Context
	outputs  []turnOutput
	changes  []slotChange
	failures []failure
	calls    []callCount
	bytes    int
	rootErr  error
}

type turnOutput struct {
	out     *out
	json    []byte
	headers []byte
}

type slotChange struct {
	slot *slot
	change
}

type failure struct {
	context *Context
	info    []byte
	message []byte
}

type callCount struct {
	slot *slot
	counts
}

func (t *turn) reset(root *Context) {
	t.root = root
	t.outputs, t.changes = t.outputs[:0], t.changes[:0]
	t.failures, t.calls = t.failures[:0], t.calls[:0]
	t.bytes, t.rootErr = 0, nil
}

// take makes what an ended call did the turn's. False when that is too much: then the call has failed.
func (t *turn) take(c *Context, busy int64, areApplied bool) bool {
	if err := c.checkSize(); err != nil {
		t.fail(c, err, busy)
		return false
	}
	for i := range c.outputs {
		each := &c.outputs[i]
		if each.out.hasChannel {
			t.outputs = append(t.outputs, turnOutput{each.out, each.json, c.headersText(each)})
			t.bytes += len(each.json)
		}
	}
	for _, each := range c.changes {
		if !areApplied {
			c.slot.store.put(each.key, each.entry)
		}
		t.changes = append(t.changes, slotChange{c.slot, each})
		t.bytes += weight(each.key, each.entry)
	}
	if t.bytes > maxBodyBytes && c.parent != nil {
		endUnfinished(t.bytes)
	}
	handled := 1
	if c.isQuiet {
		handled = 0
	}
	t.count(c, counts{handled: handled, sent: c.sent, unwired: c.unwired, busy: busy})
	return true
}

func (t *turn) count(c *Context, made counts) {
	if c.parent != nil {
		made.fused = made.handled
	}
	t.calls = append(t.calls, callCount{c.slot, made})
}

// endUnfinished ends the host: what one message has set off by way of fused wires is too much for one transaction. Each
// call is within its limit, so nothing may be refused; the runner has the message done again, one module at a time.
func endUnfinished(size int) {
	fmt.Fprintf(os.NewFile(2, "stderr"), "the go host: %d bytes behind one message by way of fused wires: it is done again unfused\n", size)
	os.Exit(4)
}

// fail keeps the ERROR of a call that failed.
func (t *turn) fail(c *Context, err error, busy int64) {
	t.count(c, counts{handled: 1, failed: 1, busy: busy})
	if c.parent == nil {
		t.rootErr = err
	}
	t.failures = append(t.failures, failure{c, errorInfo(c, err), c.json})
}

func errorInfo(c *Context, err error) []byte {
	info := map[string]any{"error": describe(err), "port": c.port, "id": c.MessageID(), "headers": nil}
	if len(c.headers) > 0 {
		info["headers"] = c.headers
	}
	return encoded(info)
}

// encoded is the JSON of what the host itself has made.
func encoded(value any) []byte {
	text, err := data.Append(nil, value, data.AnyLength)
	if err != nil {
		panic(err)
	}
	return text
}
