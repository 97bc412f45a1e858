package flow

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	headerBytes  = 24
	maxBodyBytes = 64 << 20
	readBytes    = 256 << 10
	allSlots     = 65535
	noIndex      = 1<<32 - 1
)

// Kinds and flags of frames: runtimes/PROTOCOL.md, section 2.
const (
	kindLoad = iota + 1
	kindUnload
	kindWires
	kindData
	kindPull
	kindPause
	kindCall
	kindStop
	kindPing
	kindHello = iota + 7
	kindContext
	kindError
	kindLog
	kindTurn
	kindCommit
	kindPaused
	kindResult
	kindFinished
	kindPong
)

const (
	flagRedelivered = 1 << iota
	flagHeaders
	flagTurn
	flagDeleted
	flagHeld
)

type frame struct {
	kind, flags uint8
	slot        uint16
	skip, count uint32
	first       uint64
	body        []byte
}

func appendFrame(text []byte, f frame) []byte {
	return append(appendHeader(text, f, len(f.body)), f.body...)
}

func appendHeader(text []byte, f frame, bodyBytes int) []byte {
	var header [headerBytes]byte
	binary.LittleEndian.PutUint32(header[0:], uint32(bodyBytes))
	header[4], header[5] = f.kind, f.flags
	binary.LittleEndian.PutUint16(header[6:], f.slot)
	binary.LittleEndian.PutUint32(header[8:], f.skip)
	binary.LittleEndian.PutUint32(header[12:], f.count)
	binary.LittleEndian.PutUint64(header[16:], f.first)
	return append(text, header[:]...)
}

var errProtocol = errors.New("the runner sent what is no frame")

// link is the two pipes. One goroutine reads; any may write whole frames, or interrupt the wait for input.
type link struct {
	fd        int
	input     *os.File
	buffer    []byte
	start     int // of what is not taken yet
	end       int
	isDrained bool // the last read emptied the pipe
	output    *os.File
	writing   sync.Mutex
}

func openLink(input, output string) (*link, error) {
	in, err := syscall.Open(input, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: input, Err: err}
	}
	out, err := syscall.Open(output, syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: output, Err: err}
	}
	// The input goes through Go's poller, so that a wait can be interrupted by its deadline (wake); the output blocks.
	if err := syscall.SetNonblock(in, true); err != nil {
		return nil, err
	}
	return &link{
		fd: in, input: os.NewFile(uintptr(in), input), output: os.NewFile(uintptr(out), output),
		buffer: make([]byte, readBytes),
	}, nil
}

// next takes the next whole frame of what was read. Its body is a copy.
func (l *link) next() (f frame, ok bool, err error) {
	rest := l.buffer[l.start:l.end]
	if len(rest) < headerBytes {
		return f, false, nil
	}
	size := binary.LittleEndian.Uint32(rest)
	f = frame{
		kind: rest[4], flags: rest[5],
		slot:  binary.LittleEndian.Uint16(rest[6:]),
		skip:  binary.LittleEndian.Uint32(rest[8:]),
		count: binary.LittleEndian.Uint32(rest[12:]),
		first: binary.LittleEndian.Uint64(rest[16:]),
	}
	if f.kind < kindLoad || f.kind > kindPing || size > maxBodyBytes {
		return f, false, errProtocol
	}
	whole := headerBytes + int(size)
	if len(rest) < whole {
		l.makeRoom(whole)
		return f, false, nil
	}
	f.body = append([]byte(nil), rest[headerBytes:whole]...)
	l.start += whole
	return f, true, nil
}

// makeRoom lets a frame of this size fit behind `start`.
func (l *link) makeRoom(bytes int) {
	if len(l.buffer)-l.start >= bytes {
		return
	}
	buffer := l.buffer
	if bytes > len(buffer) {
		buffer = make([]byte, bytes)
	}
	l.end = copy(buffer, l.buffer[l.start:l.end])
	l.buffer, l.start = buffer, 0
}

// read takes what the pipe holds; with `wait` until there is something, or wake is called. io.EOF is its end.
func (l *link) read(wait bool) error {
	if l.start == l.end {
		l.start, l.end = 0, 0
		if len(l.buffer) > 4*readBytes {
			l.buffer = make([]byte, readBytes)
		}
	}
	l.makeRoom(headerBytes)
	if l.end == len(l.buffer) {
		return nil
	}
	room := l.buffer[l.end:]
	var n int
	var err error
	if wait {
		n, err = l.input.Read(room)
	} else {
		n, err = syscall.Read(l.fd, room)
		if err == nil && n == 0 {
			err = io.EOF
		}
	}
	l.isDrained = n < len(room)
	if n > 0 {
		l.end += n
		return nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return l.input.SetReadDeadline(time.Time{})
	}
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) {
		return nil
	}
	return err
}

// wake interrupts the wait for input; from any goroutine.
func (l *link) wake() {
	_ = l.input.SetReadDeadline(time.Unix(1, 0)) // fails only when the file is closed, which it never is
}

// nap waits for input, but not for wake, and not for long.
func (l *link) nap(most time.Duration) error {
	if err := l.input.SetReadDeadline(time.Now().Add(most)); err != nil {
		return err
	}
	return l.read(true)
}

// write writes whole frames.
func (l *link) write(frames []byte) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if _, err := l.output.Write(frames); err != nil {
		os.Exit(1) // nobody reads any more: the runner is gone
	}
}

func (l *link) writeFrame(f frame) {
	l.write(appendFrame(nil, f))
}
