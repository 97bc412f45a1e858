package flow

func (e *engine) queueCall(f frame) {
	arguments := objectOf(f.body)
	call := &hookCall{request: f.first, from: numberOf(arguments["from_version"])}
	call.hook, _ = arguments["hook"].(string)
	call.turns = uint64(numberOf(arguments["turns"]))
	call.context, _ = arguments["context"].(map[string]any)
	e.queue(e.slots[f.slot], call)
}

// runHook runs a hook, which is a transaction of its own, and answers.
func (e *engine) runHook(s *slot, call *hookCall) {
	if call.hook != "migrate" && s.source != nil {
		running := s.source
		s.source = nil
		running.stop(func() { e.queue(s, call) })
		return
	}
	if call.context != nil {
		if err := s.store.fill(call.context); err != nil {
			e.answer(s, call, map[string]any{"ok": false, "error": describe(err)})
			return
		}
	}
	hook := s.hookOf(call)
	answer := map[string]any{"ok": true}
	if call.hook == "start" {
		answer["source"] = false
	}
	if hook == nil {
		e.answer(s, call, answer)
		return
	}
	e.commit()
	e.arm()
	c := s.named(call.hook, call.hook, call.turns)
	c.isQuiet = true
	e.beginTurn(c)
	made, err := e.invokeHook(c, hook)
	if c.pause(); made == nil || err != nil {
		c.end()
	}
	if err != nil {
		e.now = clock()
		e.answer(s, call, map[string]any{"ok": false, "error": describe(err)})
		return
	}
	if e.turn.take(c, 0, false) {
		e.spread(c)
	}
	if e.turn.rootErr != nil {
		e.answer(s, call, map[string]any{"ok": false, "error": describe(e.turn.rootErr)})
		return
	}
	e.endTurn(false)
	e.commit()
	if made != nil {
		answer["source"] = true
	}
	e.answer(s, call, answer)
	if made != nil {
		s.source = newSource(c, made, call.turns)
	}
}

func (e *engine) answer(s *slot, call *hookCall, answer map[string]any) {
	e.commit()
	e.result(s.number, call.request, answer)
}

// hookOf is what to call, nil when the module does not have it.
func (s *slot) hookOf(call *hookCall) func(*Context) (Source, error) {
	unit := s.unit
	switch {
	case call.hook == "start" && unit.Start != nil:
		return unit.Start
	case call.hook == "stop" && unit.Stop != nil:
		return Hook(unit.Stop)
	case call.hook == "migrate" && unit.Migrate != nil:
		return Hook(func(c *Context) error { return unit.Migrate(c, call.from) })
	}
	return nil
}

func (e *engine) invokeHook(c *Context, hook func(*Context) (Source, error)) (made Source, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = caught(value)
		}
	}()
	e.enter(c)
	return hook(c)
}
