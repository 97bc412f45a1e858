package flow

// post leaves something in the inbox; from any goroutine.
func (e *engine) post(item any) {
	e.mutex.Lock()
	isFirst := len(e.inbox) == 0
	e.inbox = append(e.inbox, item)
	e.mutex.Unlock()
	if isFirst {
		e.wake()
	}
}

// wake tells the engine that the inbox is no longer empty.
func (e *engine) wake() {
	e.arrived.Signal()
	e.link.wake()
}

func (e *engine) hasInbox() bool {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return len(e.inbox) > 0
}

// hasSourceTurn says whether a source was the first to fill the inbox.
func (e *engine) hasSourceTurn() bool {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if len(e.inbox) == 0 {
		return false
	}
	made, is := e.inbox[0].(*produced)
	return is && made.source != nil
}

// drain takes what is in the inbox.
func (e *engine) drain() {
	e.mutex.Lock()
	items := e.inbox
	e.inbox = nil
	e.mutex.Unlock()
	for _, item := range items {
		switch item := item.(type) {
		case *produced:
			e.adopt(item)
			if e.bytes >= commitBytes || e.now >= e.deadline {
				e.commit()
			}
		case func():
			item()
		}
	}
	e.drained = clock()
}
