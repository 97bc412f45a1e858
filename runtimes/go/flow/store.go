package flow

import (
	"sync"

	"flow/internal/data"
)

const (
	maxValueBytes   = 1 << 20
	maxStoreBytes   = 64 << 20
	maxHeaderBytes  = 4096
	maxUnwiredPorts = 64 // of a slot that are named
	scalarBytes     = 20
)

// entry is a context value: a scalar as it is, all else as its JSON, so that nothing is shared with the module. nil stands
// for a key that was removed.
type entry struct {
	scalar any
	json   []byte
}

func newEntry(value any) (*entry, error) {
	switch value := value.(type) {
	case int64, bool:
		return &entry{scalar: value}, nil
	case int:
		return &entry{scalar: int64(value)}, nil
	}
	text, err := data.Append(nil, value, maxValueBytes)
	if err == data.TooLong {
		return nil, newError("ContextError", "a value of more than %d bytes", maxValueBytes)
	}
	if err != nil {
		return nil, dataError(err)
	}
	return &entry{json: text}, nil
}

func (e *entry) value() any {
	if e.json == nil {
		return e.scalar
	}
	value, err := data.Decode(e.json)
	if err != nil {
		panic(err) // it was checked when it came in
	}
	return value
}

func (e *entry) text() []byte {
	if e.json == nil {
		text, _ := data.Append(nil, e.scalar, data.AnyLength)
		return text
	}
	return e.json
}

func weight(key string, e *entry) int {
	switch {
	case e == nil:
		return 0
	case e.json == nil:
		return len(key) + scalarBytes
	}
	return len(key) + len(e.json)
}

// store is the context of one slot. A source changes it beside the turns of the handler, hence the lock.
type store struct {
	mutex   sync.Mutex
	entries map[string]*entry
	bytes   int
}

func (s *store) fill(values map[string]any) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.entries, s.bytes = make(map[string]*entry, len(values)), 0
	for key, value := range values {
		made, err := newEntry(value)
		if err != nil {
			return err
		}
		s.entries[key] = made
		s.bytes += weight(key, made)
	}
	return nil
}

func (s *store) get(key string) *entry {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.entries[key]
}

// put sets a key, or removes it when the entry is nil.
func (s *store) put(key string, made *entry) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	old := s.entries[key]
	s.bytes += weight(key, made) - weight(key, old)
	if made == nil {
		delete(s.entries, key)
	} else {
		s.entries[key] = made
	}
}

func (s *store) size() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.bytes
}

func (s *store) keys() []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	keys := make([]string, 0, len(s.entries))
	for key := range s.entries {
		keys = append(keys, key)
	}
	return keys
}

// bytesWith counts what the context would have with the changes of a turn.
func (s *store) bytesWith(changes []change, key string, made *entry) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	last := map[string]*entry{}
	for _, each := range changes {
		last[each.key] = each.entry
	}
	last[key] = made
	total := s.bytes
	for key, made := range last {
		total += weight(key, made) - weight(key, s.entries[key])
	}
	return total
}
