package flow

import "flow/internal/data"

// handle takes one frame of the runner.
func (e *engine) handle(f frame) {
	switch f.kind {
	case kindData:
		if in := e.channels[f.slot]; !in.slot.isHeld {
			e.queue(in.slot, newBatch(in, f))
		}
	case kindPull:
		e.slots[f.slot].pull(int(f.count))
	case kindPause:
		e.pause(f.slot, f.first)
	case kindCall:
		e.queueCall(f)
	case kindLoad:
		e.load(f)
	case kindWires:
		e.wire(e.slots[f.slot], f.body)
	case kindUnload:
		e.unload(f.slot)
		e.result(f.slot, f.first, map[string]any{"ok": true})
	case kindPing:
		e.link.writeFrame(frame{kind: kindPong, first: f.first})
	case kindStop:
		e.stop()
	}
}

func (e *engine) queue(s *slot, item any) {
	s.queue = append(s.queue, item)
	e.ready = append(e.ready, s)
}

func (e *engine) result(slot uint16, request uint64, answer map[string]any) {
	e.link.writeFrame(frame{kind: kindResult, slot: slot, first: request, body: encoded(answer)})
}

// objectOf reads a body that the runner has written.
func objectOf(body []byte) map[string]any {
	value, err := data.DecodeControl(body)
	object, is := value.(map[string]any)
	if err != nil || !is {
		panic(errProtocol)
	}
	return object
}

func (e *engine) load(f frame) {
	load := objectOf(f.body)
	name, _ := load["unit"].(string)
	unit, is := e.units[name]
	if !is {
		e.refuse(f, newError("LoadError", "this host was built without the unit %q", name))
		return
	}
	s, err := newSlot(e, f.slot, unit, load)
	if err != nil {
		e.refuse(f, err)
		return
	}
	e.slots[f.slot] = s
	e.result(f.slot, f.first, map[string]any{"ok": true, "hooks": s.hooks()})
}

func (e *engine) refuse(f frame, err error) {
	e.result(f.slot, f.first, map[string]any{"ok": false, "error": describe(err)})
}

func (e *engine) wire(s *slot, body []byte) {
	e.cut(s)
	s.wire(objectOf(body))
	for channel, in := range s.ins {
		e.channels[channel] = in
	}
	e.findTargets()
}

// findTargets marks what a fused wire leads to. Its own turns are over before the engine may call it.
func (e *engine) findTargets() {
	for _, s := range e.slots {
		s.isTarget = false
	}
	for _, s := range e.slots {
		for _, out := range s.wiring() {
			for _, each := range out.fused {
				if target := e.slots[each.slot]; target != nil {
					target.isTarget = true
					e.settle(target)
				}
			}
		}
	}
}

func (e *engine) cut(s *slot) {
	for channel, in := range s.ins {
		if e.channels[channel] == in {
			delete(e.channels, channel)
		}
	}
}

func (e *engine) unload(number uint16) {
	e.commit()
	s := e.slots[number]
	if s == nil {
		return
	}
	delete(e.slots, number)
	s.queue = nil
	e.cut(s)
	if s.source != nil {
		s.source.stop(func() {})
	}
}

// pause forgets the input and credit of a slot, or of all. Only turns that overlap are under way between two frames.
func (e *engine) pause(number uint16, request uint64) {
	for _, s := range e.slots {
		if number == allSlots || s.number == number {
			s.isHeld = false
			s.forget()
			e.mutex.Lock()
			s.credit = 0
			e.mutex.Unlock()
		}
	}
	e.drain()
	e.pauses = append(e.pauses, waitingPause{number, request})
	e.answerPauses()
}

func (s *slot) pull(credit int) {
	s.engine.mutex.Lock()
	s.credit += credit
	s.engine.mutex.Unlock()
	s.wanted.Broadcast()
}
