package flow

import "flow/internal/data"

// turn is one root message and all that is fused behind it, until it is known to stand. One is reused for all.
type turn struct {
	root     *Context
	outputs  []turnOutput
	changes  []slotChange
	undos    []undo
	failures []failure
	calls    []callCount
	bytes    int
	rootErr  error
	isOver   bool // too large: nothing more may run
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
	t.outputs, t.changes, t.undos = t.outputs[:0], t.changes[:0], t.undos[:0]
	t.failures, t.calls = t.failures[:0], t.calls[:0]
	t.bytes, t.rootErr, t.isOver = 0, nil, false
}

// take makes what an ended call did the turn's. False when that is too much: then the turn is over.
func (t *turn) take(c *Context, busy int64, areApplied bool) bool {
	t.bytes += c.bytes
	if t.bytes > t.root.slot.maxTurnBytes {
		t.fail(c, t.root.slot.tooLarge(), busy)
		return false
	}
	for i := range c.outputs {
		each := &c.outputs[i]
		if each.out.hasChannel {
			t.outputs = append(t.outputs, turnOutput{each.out, each.json, c.headersText(each)})
		}
	}
	for _, each := range c.changes {
		if !areApplied {
			t.undos = append(t.undos, undo{&c.slot.store, each.key, each.entry, c.slot.store.put(each.key, each.entry)})
		}
		t.changes = append(t.changes, slotChange{c.slot, each})
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

// fail keeps the ERROR of a call that failed. When the turn is too large, that is all that is left of it.
func (t *turn) fail(c *Context, err error, busy int64) {
	if typeOf(err, "") == "TurnTooLarge" {
		root := t.root
		t.rollBack()
		t.reset(root)
		t.isOver = true
		c = root
	}
	t.count(c, counts{handled: 1, failed: 1, busy: busy})
	var message []byte
	if c.parent == nil {
		t.rootErr = err
	} else if text, err := data.Append(nil, c.message); err == nil {
		message = text
	} else {
		message = []byte("null") // the handler has made it one that cannot be sent
	}
	t.failures = append(t.failures, failure{c, errorInfo(c, err), message})
}

func (t *turn) rollBack() {
	for i := len(t.undos) - 1; i >= 0; i-- {
		t.undos[i].store.undo(t.undos[i])
	}
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
	text, err := data.Append(nil, value)
	if err != nil {
		panic(err)
	}
	return text
}
