package flow

import (
	"os"
	"time"
)

const (
	slowTime = time.Millisecond
	fastTime = 200 * time.Microsecond
)

// overlapped is a turn whose handler runs in a goroutine of its own, beside the engine: of a module with concurrency, or
// of one that was slow, so that it keeps nobody else waiting.
type overlapped struct {
	context   *Context
	busy      time.Duration
	err       error
	isEnded   bool
	isDropped bool // begun behind a held message: to be delivered again
}

// waitingPause is a PAUSE that is answered when the turns begun have ended.
type waitingPause struct {
	number  uint16
	request uint64
}

// isBeside says whether the slot's handler is to run beside the engine. A fused target never is: the engine may need it.
func (s *slot) isBeside() bool { return s.concurrency > 1 || s.isSlow && !s.isTarget }

// isBlocked says whether the next item of the queue has to wait for turns under way.
func (s *slot) isBlocked() bool {
	if len(s.overlaps) == 0 {
		return false
	}
	b, is := s.queue[0].(*batch)
	return !is || b.flags&flagTurn != 0 || len(s.overlaps) >= s.limit()
}

func (s *slot) limit() int {
	if s.concurrency > 1 {
		return s.concurrency
	}
	return 1
}

// begin starts as many turns as may overlap.
func (e *engine) begin(s *slot, b *batch) {
	for b.left > 0 && len(s.overlaps) < s.limit() {
		c, err := e.nextOf(s, b)
		c.arena = new([]byte)
		turn := &overlapped{context: c, err: err, isEnded: err != nil}
		s.overlaps = append(s.overlaps, turn)
		e.underWay++
		if err == nil {
			go e.runBeside(s, turn)
		}
	}
	e.endInOrder(s)
}

func (e *engine) runBeside(s *slot, turn *overlapped) {
	start := clock()
	err := e.invoke(turn.context)
	turn.context.end()
	busy := clock() - start
	e.post(func() {
		turn.busy, turn.err, turn.isEnded = busy, err, true
		e.endInOrder(s)
		e.answerPauses()
	})
}

// endInOrder ends the turns whose handlers have ended, in input order.
func (e *engine) endInOrder(s *slot) {
	for len(s.overlaps) > 0 && s.overlaps[0].isEnded {
		turn := s.overlaps[0]
		s.overlaps = s.overlaps[1:]
		e.underWay--
		s.isSlow = turn.busy > fastTime
		if turn.isDropped || e.slots[s.number] != s {
			continue
		}
		e.arm()
		e.turn.reset(turn.context)
		if turn.err != nil {
			e.turn.fail(turn.context, turn.err, int64(turn.busy))
		} else if e.turn.take(turn.context, int64(turn.busy), false) {
			e.spread(turn.context)
		}
		e.endTurn(true)
		if s.isHeld {
			for _, behind := range s.overlaps {
				behind.isDropped = true
			}
		}
	}
	for ; s.parked > 0; s.parked-- {
		e.ready = append(e.ready, s)
	}
	if e.isStopping && e.underWay == 0 {
		e.exit()
	}
}

// answerPauses answers those whose slots have no turn under way.
func (e *engine) answerPauses() {
	left := e.pauses[:0]
	for _, pause := range e.pauses {
		if e.isUnderWay(pause.number) {
			left = append(left, pause)
			continue
		}
		e.commit()
		e.link.writeFrame(frame{kind: kindPaused, slot: pause.number, first: pause.request})
	}
	e.pauses = left
}

func (e *engine) isUnderWay(number uint16) bool {
	if number == allSlots {
		return e.underWay > 0
	}
	s := e.slots[number]
	return s != nil && len(s.overlaps) > 0
}

// stop ends the process when the turns begun have ended.
func (e *engine) stop() {
	e.isStopping = true
	e.drain()
	for _, s := range e.slots {
		s.forget()
	}
	if e.underWay == 0 {
		e.exit()
	}
}

func (e *engine) exit() {
	e.commit()
	e.prints.flush()
	os.Exit(0)
}

// settle waits until no turn of a slot is under way.
func (e *engine) settle(s *slot) {
	for len(s.overlaps) > 0 {
		e.mutex.Lock()
		for len(e.inbox) == 0 {
			e.arrived.Wait()
		}
		e.mutex.Unlock()
		e.drain()
	}
}
