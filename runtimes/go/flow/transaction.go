package flow

import (
	"strconv"
	"strings"
)

// transaction is everything since the last COMMIT.
type transaction struct {
	slots  []*slot
	outs   []*out
	frames []byte // DATA of ports that were too full to wait for the end
	errors []byte
	bytes  int
}

func (x *transaction) hasTurns() bool { return len(x.slots) > 0 }

func (x *transaction) touch(s *slot) {
	if !s.isTouched {
		s.isTouched = true
		x.slots = append(x.slots, s)
	}
}

// merge takes a turn that stands. `isData`: its root is a message of DATA, now consumed.
func (x *transaction) merge(t *turn, isData bool) {
	root := t.root.slot
	x.touch(root)
	for i := range t.outputs {
		x.add(&t.outputs[i])
	}
	for _, each := range t.changes {
		x.touch(each.slot)
		each.slot.dirty[each.key] = each.entry
	}
	x.bytes += t.bytes
	for _, each := range t.failures {
		index := uint32(noIndex)
		if isData && each.context == t.root {
			index = uint32(root.consumed)
		}
		x.fail(each, index, 0)
	}
	if isData {
		root.consumed++
	}
	x.count(t)
}

// hold takes a turn whose root is to be tried again: its message stays unconsumed.
func (x *transaction) hold(t *turn) {
	x.touch(t.root.slot)
	for _, each := range t.failures {
		x.fail(each, uint32(t.root.slot.consumed), flagHeld)
	}
	x.count(t)
}

func (x *transaction) fail(f failure, index uint32, flags uint8) {
	c := f.context
	number := c.number
	if c.parent != nil {
		number = 0
	}
	x.errors = appendHeader(x.errors, frame{
		kind: kindError, flags: flags, slot: c.slot.number, skip: uint32(len(f.info)), count: index, first: number,
	}, len(f.info)+len(f.message))
	x.errors = append(append(x.errors, f.info...), f.message...)
	x.bytes += len(f.info) + len(f.message)
}

func (x *transaction) count(t *turn) {
	for i := range t.calls {
		made, s := &t.calls[i].counts, t.calls[i].slot
		x.touch(s)
		s.handled += made.handled
		s.failed += made.failed
		s.sent += made.sent
		s.unwired += made.unwired
		s.fused += made.fused
		s.busy += made.busy
	}
}

func (x *transaction) add(o *turnOutput) {
	port := o.out
	if port.count == 0 {
		x.outs = append(x.outs, port)
	} else if len(port.body)+len(port.heads)+len(o.json)+len(o.headers) > maxBodyBytes/2 {
		x.frames = port.appendData(x.frames)
		port.count = 0
	}
	if o.headers != nil || len(port.heads) > 0 {
		if len(port.heads) == 0 { // those before it have none
			port.heads = append(port.heads, strings.Repeat("null,\n", port.count)...)
		} else {
			port.heads = append(port.heads, separator...)
		}
		if o.headers == nil {
			port.heads = append(port.heads, "null"...)
		}
		port.heads = append(port.heads, o.headers...)
	}
	if port.count > 0 {
		port.body = append(port.body, separator...)
	}
	port.body = append(port.body, o.json...)
	port.count++
}

// appendData appends the port's DATA frame and empties the port.
func (o *out) appendData(frames []byte) []byte {
	made := frame{kind: kindData, slot: o.channel, count: uint32(o.count)}
	if len(o.heads) == 0 {
		frames = appendHeader(frames, made, len(o.body)+2)
	} else {
		made.flags = flagHeaders
		frames = appendHeader(frames, made, len(o.body)+len(o.heads)+9)
		frames = append(append(frames, "[["...), o.heads...)
		frames = append(frames, "],\n\n"...)
	}
	frames = append(append(append(frames, '['), o.body...), ']')
	if len(o.heads) > 0 {
		frames = append(frames, ']')
	}
	if o.body = o.body[:0]; cap(o.body) > 4*commitBytes {
		o.body = nil
	}
	o.heads = o.heads[:0]
	return frames
}

// take appends the frames, COMMIT last; then the transaction is empty.
func (x *transaction) take(text []byte) []byte {
	text = append(text, x.frames...)
	for _, out := range x.outs {
		if out.count > 0 {
			text = out.appendData(text)
			out.count = 0
		}
	}
	for _, s := range x.slots {
		for key, made := range s.dirty {
			text = appendChange(text, s.number, key, made)
			delete(s.dirty, key)
		}
	}
	text = append(text, x.errors...)
	body := []byte{'['}
	for i, s := range x.slots {
		if i > 0 {
			body = append(body, ',')
		}
		body = s.appendCounts(body)
	}
	text = appendFrame(text, frame{kind: kindCommit, body: append(body, ']')})
	x.slots, x.outs = x.slots[:0], x.outs[:0]
	x.frames, x.errors, x.bytes = x.frames[:0], x.errors[:0], 0
	return text
}

func appendChange(text []byte, slot uint16, key string, made *entry) []byte {
	f := frame{kind: kindContext, slot: slot, skip: uint32(len(key))}
	if made == nil {
		f.flags = flagDeleted
		return append(appendHeader(text, f, len(key)), key...)
	}
	json := made.text()
	return append(append(appendHeader(text, f, len(key)+len(json)), key...), json...)
}

// appendCounts appends the slot's array of COMMIT and begins to count anew.
func (s *slot) appendCounts(text []byte) []byte {
	text = append(text, '[')
	for i, number := range []int{
		int(s.number), s.consumed, s.handled, s.failed, s.pulled, s.sent, s.unwired, int(s.busy / 1000), s.fused,
	} {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, int64(number), 10)
	}
	s.counts = counts{}
	s.isTouched = false
	return append(text, ']')
}
