package flow

import (
	"bytes"
	"runtime"
)

// outside is the context of what is done outside any turn.
func (s *slot) outside(name string, number int) *Context {
	c := s.named("send", name, uint64(number))
	c.isQuiet = true
	return c
}

// sendOutside is a turn of its own that uses one credit. A goroutine waits for it; the engine's own may not.
func (s *slot) sendOutside(port string, value any, headers []map[string]string) error {
	e := s.engine
	c := s.outside("send", 0)
	if err := c.output(port, value, headers); err != nil {
		return err
	}
	e.mutex.Lock()
	if s.credit <= 0 {
		if s.waiting >= maxWaitingSends || isEngine() {
			e.mutex.Unlock()
			return newError("CreditError", "no credit: the runner wants no more from %s now", s.module)
		}
		s.waiting++
		for s.credit <= 0 {
			s.wanted.Wait()
		}
		s.waiting--
	}
	s.credit--
	c.number = uint64(s.alone)
	s.alone++
	c.id = s.named("send", "send", c.number).id
	isFirst := len(e.inbox) == 0
	e.inbox = append(e.inbox, &produced{context: c, pulled: 1})
	e.mutex.Unlock()
	if isFirst {
		e.wake()
	}
	return nil
}

// isEngine says whether the main goroutine asks, which the engine runs in.
func isEngine() bool {
	var text [32]byte
	return bytes.HasPrefix(text[:runtime.Stack(text[:], false)], []byte("goroutine 1 "))
}
