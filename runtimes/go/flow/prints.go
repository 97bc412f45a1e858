package flow

import (
	"bytes"
	"log"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// prints makes LOG of what modules print. os.Stdout and os.Stderr become pipes; the process's own stay for the Go runtime's
// last words. Text belongs to the slot whose code runs when it is read; the engine reads before it enters another slot.
type prints struct {
	engine  *engine
	isUsed  atomic.Bool // something was ever printed: only then flush costs anything
	streams [2]*stream
	own     [2]*os.File // those of the process, for the Go runtime's last words: the collector would close them
}

type stream struct {
	level string
	file  *os.File
	fd    int
	mutex sync.Mutex
	rest  []byte
}

func capture(e *engine) (*prints, error) {
	p := &prints{engine: e, own: [2]*os.File{os.Stdout, os.Stderr}}
	for i, level := range []string{"info", "warning"} {
		var ends [2]int
		if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
			return nil, err
		}
		if err := syscall.SetNonblock(ends[0], true); err != nil {
			return nil, err
		}
		p.streams[i] = &stream{level: level, fd: ends[0], file: os.NewFile(uintptr(ends[0]), level)}
		write := os.NewFile(uintptr(ends[1]), level)
		if i == 0 {
			os.Stdout = write
		} else {
			os.Stderr = write
			log.SetOutput(write)
		}
		go p.follow(p.streams[i])
	}
	return p, nil
}

// follow waits for text.
func (p *prints) follow(s *stream) {
	raw, err := s.file.SyscallConn()
	if err != nil {
		return
	}
	for err == nil {
		err = raw.Read(func(uintptr) bool {
			p.isUsed.Store(true)
			return p.take(s)
		})
	}
}

// take reads what there is; false when there is nothing.
func (p *prints) take(s *stream) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var buffer [4096]byte
	hasRead := false
	for {
		n, err := syscall.Read(s.fd, buffer[:])
		if err != nil || n <= 0 {
			return hasRead
		}
		hasRead = true
		text := buffer[:n]
		for {
			line, rest, is := bytes.Cut(text, []byte("\n"))
			s.rest = append(s.rest, line...)
			if !is && len(s.rest) < maxTextBytes-len(buffer) {
				break
			}
			p.write(s, s.rest) // a line, or a part of one without end
			s.rest = s.rest[:0]
			if text = rest; !is {
				break
			}
		}
	}
}

func (p *prints) write(s *stream, line []byte) {
	p.engine.log(uint16(p.engine.running.Load()), s.level, string(line))
}

// flush makes LOG of all that was printed so far, the rest of a line too.
func (p *prints) flush() {
	if !p.isUsed.Load() {
		return
	}
	for _, s := range p.streams {
		p.take(s)
		s.mutex.Lock()
		if len(s.rest) > 0 {
			p.write(s, s.rest)
			s.rest = nil
		}
		s.mutex.Unlock()
	}
}
