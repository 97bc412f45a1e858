// What @vscode/debugadapter-testsupport checks, a case a run: node client.js CASE RUNNER FLOW [PORT]
'use strict'
const assert = require('node:assert/strict')
const { DebugClient } = require('@vscode/debugadapter-testsupport')

const [, , name, runner, flow, port] = process.argv
const send = { 'double.in': [{ n: 1 }, { n: 2 }, { n: 3 }] }
const DOUBLE = 3, ADD = 9 // the lines at which their entries begin

async function variables (dc, frame, scope) {
  const { body } = await dc.scopesRequest({ frameId: frame.id })
  const found = body.scopes.find(one => one.name === scope)
  const answer = await dc.variablesRequest({ variablesReference: found.variablesReference })
  return { reference: found.variablesReference, list: answer.body.variables }
}

async function top (dc, thread) {
  return (await dc.stackTraceRequest({ threadId: thread })).body.stackFrames
}

const cases = {
  async abilities (dc) {
    const { body } = await dc.initializeRequest()
    assert.equal(body.supportsConfigurationDoneRequest, true)
    assert.equal(body.supportsSetVariable, true)
    await assert.rejects(dc.stackTraceRequest({ threadId: 1 }), /launch or attach/)
    await assert.rejects(dc.send('fly', {}), /not understood/)
  },

  async breakpoint (dc) {
    await dc.hitBreakpoint({ program: flow, send }, { path: flow, line: ADD })
    const threads = (await dc.threadsRequest()).body.threads
    assert.deepEqual(threads.map(one => one.name), ['add', 'double'])
    const frames = await top(dc, 1)
    const message = await variables(dc, frames[0], 'Message')
    const inner = await dc.variablesRequest({ variablesReference: message.list[0].variablesReference })
    assert.deepEqual(inner.body.variables.map(one => [one.name, one.value, one.type]), [['n', '2', 'number']])
    assert.equal((await dc.evaluateRequest({ expression: 'message.n + 40', frameId: frames[0].id })).body.result, '42')
    await assert.rejects(dc.evaluateRequest({ expression: 'mesage', frameId: frames[0].id }), /mesage/)
  },

  async edit (dc) {
    await dc.hitBreakpoint({ program: flow, send }, { path: flow, line: ADD })
    const [frame] = await top(dc, 1)
    const message = await variables(dc, frame, 'Message')
    const inner = message.list[0].variablesReference
    await assert.rejects(dc.setVariableRequest({ variablesReference: inner, name: 'n', value: 'x' }), /not JSON/)
    const set = await dc.setVariableRequest({ variablesReference: inner, name: 'n', value: '1000' })
    assert.equal(set.body.value, '1000')
    const context = await variables(dc, frame, 'Context')
    await assert.rejects(
      dc.setVariableRequest({ variablesReference: context.reference, name: 'sum', value: '1' }), /cannot be changed/)
    const told = dc.waitForEvent('output')
    await Promise.all([dc.nextRequest({ threadId: 1 }), dc.waitForEvent('stopped')])
    assert.match((await told).body.output, /took in: \{"n": 1000\}/)
    const [next] = await top(dc, 1)
    assert.deepEqual((await variables(dc, next, 'Context')).list.map(one => [one.name, one.value]), [['sum', '1000']])
    await assert.rejects(dc.variablesRequest({ variablesReference: 999 }), /no more/)
  },

  async step (dc) {
    await Promise.all([
      dc.configurationSequence(), dc.launch({ program: flow, send, stopOnEntry: true }),
      dc.assertStoppedLocation('entry', { path: flow, line: DOUBLE })
    ])
    assert.equal((await top(dc, 2)).length, 3)
    assert.equal((await variables(dc, (await top(dc, 2))[0], 'Mailbox')).list.length, 3)
    // the first wave: what double has sent waits in add, which is looked at next
    await Promise.all([dc.nextRequest({ threadId: 2 }), dc.assertStoppedLocation('step', { path: flow, line: ADD })])
    assert.equal((await top(dc, 2)).length, 2)
    await Promise.all([dc.stepInRequest({ threadId: 1 }), dc.waitForEvent('stopped')])
    const [frame] = await top(dc, 1)
    assert.deepEqual((await variables(dc, frame, 'Context')).list.map(one => one.value), ['2'])
    await dc.continueRequest({ threadId: 1 })
    await Promise.all([dc.pauseRequest({ threadId: 1 }), dc.assertStoppedLocation('pause', {})])
  },

  async conditions (dc) {
    await Promise.all([
      dc.waitForEvent('initialized').then(async () => {
        const { body } = await dc.setBreakpointsRequest({
          source: { path: flow },
          breakpoints: [{ line: ADD + 1, condition: 'message.n > 4' }, { line: 1 }, { line: DOUBLE, condition: 'message.n >' }]
        })
        assert.deepEqual(body.breakpoints.map(one => one.verified), [true, false, false])
        assert.equal(body.breakpoints[0].line, ADD)
        assert.match(body.breakpoints[1].message, /no module/)
        assert.match(body.breakpoints[2].message, /CEL/)
        const named = await dc.setFunctionBreakpointsRequest({ breakpoints: [{ name: 'nowhere' }] })
        assert.match(named.body.breakpoints[0].message, /double/)
        await dc.configurationDoneRequest()
      }),
      dc.launch({ program: flow, send }),
      dc.assertStoppedLocation('breakpoint', { path: flow, line: ADD })
    ])
    const [frame] = await top(dc, 1)
    assert.match(frame.name, /"n": 6/)
    await Promise.all([dc.disconnectRequest(), dc.waitForEvent('terminated')])
    return 'gone'
  },

  async errors (dc) {
    await Promise.all([
      dc.waitForEvent('initialized').then(async () => {
        await dc.setExceptionBreakpointsRequest({ filters: ['deadLetters'] })
        await dc.configurationDoneRequest()
      }),
      dc.launch({ program: flow, send: { 'double.in': ['no number'] } }),
      dc.assertOutput('stderr', 'debugged/double: '),
      dc.assertStoppedLocation('exception', { path: flow, line: DOUBLE })
    ])
  },

  async refused (dc) {
    await dc.initializeRequest()
    await assert.rejects(dc.launchRequest({ program: flow + '.none' }), /none/)
    await assert.rejects(dc.launchRequest({ program: flow, send: [] }), /send/)
    await assert.rejects(dc.launchRequest({}), /program/)
    await assert.rejects(dc.attachRequest({ flow: 'nowhere' }), /nowhere|no runner/)
  },

  async attach (dc) {
    await Promise.all([
      dc.waitForEvent('initialized').then(async () => {
        await dc.setFunctionBreakpointsRequest({ breakpoints: [{ name: 'add' }] })
        await dc.configurationDoneRequest()
      }),
      dc.initializeRequest().then(() => dc.attachRequest({ program: flow })),
      dc.waitForEvent('stopped')
    ])
    const [frame] = await top(dc, 1)
    assert.equal(frame.source.path, flow)
    await Promise.all([dc.disconnectRequest(), dc.waitForEvent('terminated')])
    return 'gone'
  }
}

async function main () {
  const dc = new DebugClient(runner, 'dap', 'flow')
  dc.defaultTimeout = 60000
  await dc.start(port === undefined ? undefined : Number(port))
  if (await cases[name](dc) !== 'gone') await dc.stop()
  console.log('ok')
}

main().then(() => process.exit(0), error => { console.error(error); process.exit(1) })
