package flow

import (
	"sync"
	"sync/atomic"
	"time"

	"flow/internal/data"
)

const (
	commitBytes = 64 << 10
	workTime    = 10 * time.Millisecond
	napTime     = time.Millisecond
	arenaBytes  = 1 << 20
)

// engine is the host's heart: frames in, turns, transactions out, all in one goroutine. Sources and goroutines of user
// code leave what they have made in the inbox.
type engine struct {
	link     *link
	units    map[string]Unit
	slots    map[uint16]*slot
	channels map[uint16]*input
	ready    []*slot // a slot once per item of its queue
	transaction
	turn     turn
	arena    []byte
	decoder  data.Decoder
	now      time.Duration // after the latest handler
	deadline time.Duration // when the transaction is to be committed and the input looked at
	drained  time.Duration // when the inbox was last emptied
	frames   []byte
	running  atomic.Int32 // the slot whose code runs, for what it prints
	prints   *prints

	underWay   int // turns that overlap
	pauses     []waitingPause
	isStopping bool

	mutex   sync.Mutex // of the inbox and of every slot's credit
	inbox   []any      // *produced or func()
	arrived *sync.Cond // something is in the inbox
}

var epoch = time.Now()

func clock() time.Duration { return time.Since(epoch) }

// run serves until the link ends.
func (e *engine) run() error {
	for {
		e.work()
		if e.hasTurns() && (e.bytes >= commitBytes || e.now >= e.deadline) {
			e.commit()
		}
		isBusy := len(e.ready) > 0
		if isBusy || (e.hasTurns() && !e.link.isDrained) || e.hasInbox() {
			if err := e.look(false); err != nil {
				return err
			}
			if isBusy || len(e.ready) > 0 {
				continue
			}
		}
		e.commit()
		if e.hasInbox() {
			continue
		}
		if err := e.look(true); err != nil {
			return err
		}
	}
}

// look takes what came: frames, and what is in the inbox. With `wait` it waits for one of them.
func (e *engine) look(wait bool) error {
	if err := e.link.read(wait); err != nil {
		return err
	}
	if err := e.handleAll(); err != nil {
		return err
	}
	if e.hasInbox() {
		if e.hasSourceTurn() && clock()-e.drained < napTime { // a busy source: let it make more than a frame's worth
			if err := e.link.nap(napTime); err != nil {
				return err
			}
			if err := e.handleAll(); err != nil {
				return err
			}
		}
		e.drain()
	}
	return nil
}

func (e *engine) handleAll() error {
	for {
		f, ok, err := e.link.next()
		if err != nil || !ok {
			return err
		}
		e.handle(f)
	}
}

// arm sets the deadline when a transaction begins.
func (e *engine) arm() {
	if !e.hasTurns() {
		e.now = clock()
		e.deadline = e.now + workTime
	}
}

// work runs what waits, until the deadline or a transaction's worth of output.
func (e *engine) work() {
	if len(e.ready) == 0 {
		return
	}
	e.arm()
	for len(e.ready) > 0 {
		s := e.ready[0]
		if len(s.queue) == 0 {
			e.ready = e.ready[1:]
			continue
		}
		if s.isBlocked() {
			e.ready = e.ready[1:]
			s.parked++ // until a turn has ended
		} else if hook, is := s.queue[0].(*hookCall); is {
			s.shift()
			e.ready = e.ready[1:]
			e.runHook(s, hook)
		} else {
			waiting := s.queue[0].(*batch)
			if s.isBeside() && waiting.flags&flagTurn == 0 {
				e.begin(s, waiting)
			} else {
				e.runBatch(s, waiting)
			}
			if waiting.left == 0 && len(s.queue) > 0 && s.queue[0] == any(waiting) {
				s.shift()
				e.ready = e.ready[1:]
			}
		}
		if e.bytes >= commitBytes || e.now >= e.deadline {
			return
		}
	}
	e.ready = nil
}

func (s *slot) shift() {
	s.queue[0] = nil
	s.queue = s.queue[1:]
}

func (e *engine) commit() {
	if !e.hasTurns() {
		return
	}
	e.frames = e.transaction.take(e.frames[:0])
	e.link.write(e.frames)
	if cap(e.frames) > 8*commitBytes {
		e.frames = nil
	}
}

func (e *engine) runBatch(s *slot, b *batch) {
	isAnnounced := b.flags&flagTurn != 0
	for b.left > 0 {
		if isAnnounced {
			e.commit()
			e.link.writeFrame(frame{kind: kindTurn, slot: s.number, first: b.number})
			e.arm()
		}
		c, err := e.nextOf(s, b)
		e.beginTurn(c)
		if err != nil {
			e.turn.fail(c, err, 0)
		} else {
			e.call(c)
		}
		e.endTurn(true)
		if isAnnounced {
			e.commit()
		}
		if len(s.queue) == 0 || s.isSlow || e.bytes >= commitBytes || e.now >= e.deadline {
			return
		}
	}
}

// nextOf is the context of the next message's turn; the error is that of a message that cannot be decoded.
func (e *engine) nextOf(s *slot, b *batch) (*Context, error) {
	number := b.number
	message, headers, id, err := b.next(&e.decoder)
	if message == nil {
		message = Null
	}
	return &Context{
		slot: s, port: b.input.port, wire: b.input.wire, number: number, id: id, headers: headers, message: message,
		redelivered: b.flags&flagRedelivered != 0, arena: &e.arena,
	}, err
}

func (e *engine) beginTurn(root *Context) {
	if cap(e.arena) > arenaBytes {
		e.arena = nil
	}
	e.arena = e.arena[:0]
	e.turn.reset(root)
}

// call runs a handler and, depth-first, everything fused behind it.
func (e *engine) call(c *Context) {
	err := e.invoke(c)
	c.end()
	before := e.now
	e.now = clock()
	busy := int64(e.now - before)
	c.slot.isSlow = e.now-before > slowTime
	if err != nil {
		e.turn.fail(c, err, busy)
		return
	}
	if e.turn.take(c, busy, false) {
		e.spread(c)
	}
}

// spread hands an ended call's outputs on to what is fused behind it: to each what would have arrived over a wire.
func (e *engine) spread(c *Context) {
	for i := range c.outputs {
		each := &c.outputs[i]
		headers := c.headers
		if each.own {
			headers = each.headers
		}
		for _, target := range each.out.fused {
			e.call(&Context{
				slot: e.slots[target.slot], port: target.port, wire: target.wire, headers: headers, message: e.received(each.json),
				redelivered: c.redelivered, parent: c, index: each.index, arena: c.arena, json: each.json,
			})
		}
	}
}

// received is the value of what this host has written.
func (e *engine) received(text []byte) any {
	value, err := e.decoder.Decode(text)
	if err != nil {
		panic(err)
	}
	if value == nil {
		return Null
	}
	return value
}

// invoke runs the handler alone; a panic is its error.
func (e *engine) invoke(c *Context) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = caught(value)
		}
	}()
	run := c.slot.unit.Run
	if run == nil {
		return newError("TypeError", "%s has no Run, only a source", c.slot.module)
	}
	e.enter(c)
	result, err := run(c, c.message)
	if err != nil || data.IsNil(result) {
		return err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.output("out", result, nil)
}

// enter says whose code runs now.
func (e *engine) enter(c *Context) {
	if number := int32(c.slot.number); e.running.Load() != number {
		e.prints.flush()
		e.running.Store(number)
	}
	c.begin()
}

// endTurn moves a root turn to the transaction, or holds its message.
func (e *engine) endTurn(isData bool) {
	s := e.turn.root.slot
	if isData && e.turn.rootErr != nil && s.retry {
		e.transaction.hold(&e.turn)
		s.forget()
		s.isHeld = true
		e.commit()
		return
	}
	e.transaction.merge(&e.turn, isData)
}

func (e *engine) log(slot uint16, level, text string) {
	body := encoded(map[string]any{"level": clean(level), "text": clean(text)})
	e.link.writeFrame(frame{kind: kindLog, slot: slot, body: body})
}
