package flow

import "time"

const (
	closeTime       = time.Second
	maxWaitingSends = 1024
)

// produced is a finished turn of a source, or what was done outside any turn: it waits for the engine to hand it on.
type produced struct {
	context *Context // ended; its changes are in the store already
	pulled  int
	busy    time.Duration
	err     error
	isLast  bool // the source has ended
	source  *source
}

// source advances a Source in a goroutine of its own while its slot has credit.
type source struct {
	slot    *slot
	next    Source
	context *Context // the one that the module's Start got
	number  uint64

	// Under engine.mutex:
	isStopping  bool
	hasEnded    bool          // by itself: its last turn is in the inbox
	closed      func()        // to be run by the engine when it is known to yield no more
	pending     int           // turns in the inbox
	mostPending int           // about as many as may be there
	adopted     time.Duration // when the engine was done with the latest
}

func newSource(c *Context, next Source, number uint64) *source {
	s := &source{slot: c.slot, next: next, context: c, number: number}
	go s.run()
	return s
}

// stop lets the source yield no more. `closed` is run once by the engine: when Source has returned, or does not come back.
func (s *source) stop(closed func()) {
	e := s.slot.engine
	isDone := false
	once := func() {
		if !isDone {
			isDone = true
			closed()
		}
	}
	e.mutex.Lock()
	s.isStopping, s.closed = true, once
	hasEnded := s.hasEnded
	e.mutex.Unlock()
	if hasEnded {
		e.post(once)
		return
	}
	s.context.mutex.Lock()
	s.context.finish()
	s.context.mutex.Unlock()
	s.slot.wanted.Broadcast()
	time.AfterFunc(closeTime, func() { e.post(once) })
}

func (s *source) run() {
	e := s.slot.engine
	for {
		if !s.wait() {
			break
		}
		turn := s.turn()
		e.mutex.Lock()
		for s.slot.credit <= 0 && !s.isStopping && !turn.isLast { // a recall took it back meanwhile
			s.slot.wanted.Wait()
		}
		if s.isStopping {
			e.mutex.Unlock()
			break
		}
		if !turn.isLast {
			s.slot.credit--
			turn.pulled = 1
		}
		s.number++
		s.pending++
		s.hasEnded = turn.isLast
		turn.apply()
		isFirst := len(e.inbox) == 0
		e.inbox = append(e.inbox, turn)
		e.mutex.Unlock()
		if isFirst {
			e.wake()
		}
		if turn.isLast {
			return
		}
	}
	e.mutex.Lock()
	closed := s.closed
	e.mutex.Unlock()
	e.post(closed)
}

// wait waits for credit and room; false when the source is to stop.
func (s *source) wait() bool {
	mutex := &s.slot.engine.mutex
	mutex.Lock()
	defer mutex.Unlock()
	for (s.slot.credit <= 0 || s.pending > s.mostPending) && !s.isStopping {
		s.slot.wanted.Wait()
	}
	return !s.isStopping
}

// turn asks for one value. What it did moves from the context that the module holds to one of the turn's own.
func (s *source) turn() *produced {
	c, start := s.context, clock()
	own := s.slot.named("start", "start", s.number)
	c.mutex.Lock()
	c.number, c.id, c.port = own.number, own.id, own.port
	c.outputs, c.changes, c.arena = own.one[:0], nil, own.arena
	c.count, c.sent, c.unwired, c.bytes = 0, 0, 0, 0
	c.isLive = true
	c.mutex.Unlock()
	value, more, err := s.ask()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if err == nil && more {
		err = c.yield(value)
	}
	if err == nil {
		err = c.checkSize()
	}
	c.isLive = false
	own.outputs, own.changes = c.outputs, c.changes
	own.count, own.sent, own.unwired, own.bytes = c.count, c.sent, c.unwired, c.bytes
	c.outputs, c.changes = nil, nil
	if own.isQuiet = !more; err != nil || !more {
		c.finish()
	}
	return &produced{context: own, busy: clock() - start, err: err, isLast: err != nil || !more, source: s}
}

func (s *source) ask() (value any, more bool, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = caught(value)
		}
	}()
	return s.next()
}

// apply changes the store at once, so that the source reads its own writes before the engine hands the turn on.
func (p *produced) apply() {
	if p.err != nil {
		return
	}
	store := &p.context.slot.store
	for _, each := range p.context.changes {
		store.put(each.key, each.entry)
	}
}

// adopt hands on what was produced: a turn as any other.
func (e *engine) adopt(p *produced) {
	c := p.context
	s := c.slot
	if e.slots[s.number] != s {
		return
	}
	c.rewire()
	e.arm()
	e.turn.reset(c)
	if p.err != nil {
		e.turn.fail(c, p.err, int64(p.busy))
	} else if e.turn.take(c, int64(p.busy), true) {
		e.spread(c)
	}
	e.endTurn(false)
	s.pulled += p.pulled
	if p.source == nil {
		return
	}
	p.source.wasAdopted()
	if p.isLast && s.source == p.source {
		s.source = nil
		e.commit()
		body := []byte(`{"ok":true}`)
		if p.err != nil {
			body = []byte(`{"ok":false}`)
		}
		e.link.writeFrame(frame{kind: kindFinished, slot: s.number, body: body})
	}
}

// wasAdopted lets the source make more. At most a recall's time of turns waits in the inbox: PAUSE waits for them.
func (s *source) wasAdopted() {
	now := clock()
	e := s.slot.engine
	e.mutex.Lock()
	s.pending--
	s.mostPending = int(workTime / (now - s.adopted + 1))
	s.adopted = now
	hasRoom := s.pending <= s.mostPending/2
	e.mutex.Unlock()
	if hasRoom {
		s.slot.wanted.Broadcast()
	}
}

// rewire gives outputs to the wires that are now: they may be others than when the module sent.
func (c *Context) rewire() {
	kept := c.outputs[:0]
	for _, each := range c.outputs {
		if each.out = c.slot.wiring()[each.port]; each.out == nil {
			c.sent--
			c.unwired++
			continue
		}
		kept = append(kept, each)
	}
	c.outputs = kept
}
