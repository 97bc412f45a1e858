// A paused flow: what the last wave did in a module, and the messages that wait in front of it.

import { html, useEffect, useState } from "/vendor/preact.js";
import { KeepAsTest } from "/saving.js";
import { json, ms, pretty } from "/text.js";

/** Held messages of a module; asked again whenever `because` differs. */
function useHeld(api, flowId, id, because) {
  const [held, set] = useState({ list: null, error: "" });
  const [again, ask] = useState(0);
  useEffect(() => {
    let over = false;
    const show = (next) => over || set(next);
    api.call("listHeld", { flowId }).then((all) => show({ list: all.filter((one) => one.flowModuleId === `${flowId}/${id}`), error: "" }), (error) => show({ list: null, error: error.message }));
    return () => { over = true; };
  }, [flowId, id, because, again]);
  return [held, () => ask((n) => n + 1)];
}

export function Step({ api, flow, id, live, wave }) {
  const debug = live.state?.debug;
  const paused = debug?.pausedBy || debug?.pausedModules.includes(id);
  const ran = wave?.get(id);
  const [held, refresh] = useHeld(api, flow.id, id, json([paused, live.state?.modules[id]?.queued, ran]));
  return html`<div class="body">
    <${Breakpoint} api=${api} flow=${flow} id=${id} stop=${debug?.breakpoints[id]} source=${live.state?.modules[id]?.source} />
    ${ran && html`<section class="kind" aria-label="last step"><h3>The last step${ran.ms == null ? "" : `, ${ms(ran.ms)}`}</h3>
      ${ran.away && html`<p class="warn">Its runner is away.</p>`}${ran.running && html`<p class="warn">It is still at work.</p>`}
      ${ran.inputStates.map((one) => html`<p class="dim">took ${one.port}</p><pre>${json(one.message)}</pre>`)}
      ${ran.outputStates.map((one) => html`<p class="dim">sent ${one.port}</p><pre>${json(one.message)}</pre>`)}
      ${ran.errors.map((one) => html`<p class="err">${one.type}: ${one.message}</p>`)}
      ${ran.inputStates.length > 0 && html`<p><${KeepAsTest} api=${api} flow=${flow} sent=${{ [id]: ran.inputStates.map(({ port, message }) => ({ port, message })) }} more=${{ seen: () => seenIn(id, ran) }} /></p>`}
      <${Changed} before=${ran.inputStates[0]?.context} after=${ran.context} /></section>`}
    ${!ran && wave && html`<p class="dim">It took no part in the last step.</p>`}
    <h3>Held messages</h3>
    ${!paused ? html`<p class="dim">The flow is not paused: nothing is held.</p>` : held.error ? html`<p class="err" role="alert">${held.error}</p>`
      : held.list === null ? html`<p class="dim">asking…</p>` : !held.list.length ? html`<p class="dim">None wait here.</p>`
      : html`<ol class="messages">${held.list.map((one, at) => html`<${Held} key=${one.id} api=${api} one=${one} first=${at === 0} refresh=${refresh} />`)}</ol>`}
  </div>`;
}

/** What a test is to expect of a module that cannot be tried by itself. */
function seenIn(id, ran) {
  const expect = {};
  for (const { port, message } of ran.outputStates) (expect[`${id}.${port}`] ??= []).push(message);
  return { expect, dead: expect[`${id}.error`] ? [] : ran.errors.map((one) => ({ type: one.type, text: one.message })) };
}

/** Keys of the context that the step has changed. */
function Changed({ before, after }) {
  const keys = Object.keys({ ...before, ...after }).filter((key) => json(before?.[key]) !== json(after?.[key]));
  return keys.map((key) => html`<p class="dim">context ${key}</p><pre>${before && json(before[key]) !== undefined ? `${json(before[key])} → ` : ""}${json(after?.[key]) ?? "gone"}</pre>`);
}

function Held({ api, one, first, refresh }) {
  const [text, edit] = useState(null);
  const [said, say] = useState("");
  const tried = (work) => work.then(() => { say(""); refresh(); }, (error) => say(error instanceof SyntaxError ? `this is no JSON: ${error.message}` : error.message));
  const save = async () => {
    await api.call("editHeld", { id: one.id, message: JSON.parse(text) });
    edit(null);
  };
  return html`<li><span class="dim">${one.port}${one.atBreakpoint ? " · at the breakpoint" : ""}</span>
    ${text === null ? html`<pre>${json(one.message)}</pre><button onClick=${() => edit(pretty(one.message))}>Edit</button> <button onClick=${() => tried(api.call("dropHeld", { id: one.id }))}>Drop</button>${first && html` <button onClick=${() => tried(api.call("releaseHeld", { id: one.id }))}>Release</button>`}`
      : html`<textarea rows="4" spellcheck=${false} aria-label="held message, as JSON" value=${text} onInput=${(event) => edit(event.target.value)}></textarea><button class="main" onClick=${() => tried(save())}>Save</button> <button onClick=${() => { edit(null); say(""); }}>Cancel</button>`}
    ${said && html`<span role="alert" class="err">${said}</span>`}</li>`;
}

function Breakpoint({ api, flow, id, stop, source }) {
  const [when, setWhen] = useState(stop?.when ?? "");
  const [scope, setScope] = useState(stop?.scope ?? "flow");
  const [said, say] = useState("");
  if (source) return html`<p class="dim">A source gets no messages, so it takes no breakpoint.</p>`;
  const call = (method, more) => api.call(method, { flowModuleId: `${flow.id}/${id}`, ...more }).then(() => say(""), (error) => say(error.message));
  const set = (event) => {
    event.preventDefault();
    call("setBreakPointAtModule", { scope, ...(when.trim() ? { when: when.trim() } : {}) });
  };
  return html`<form class="send" onSubmit=${set}><label>Pause when <input class="when" value=${when} placeholder="message.value > 40 (empty: always)" spellcheck=${false} onInput=${(event) => setWhen(event.target.value)} /></label>
    <p class="tools"><label>pauses the <select value=${scope} onChange=${(event) => setScope(event.target.value)}><option value="flow">flow</option><option value="module">module</option></select></label>
      <button>${stop ? "Change the breakpoint" : "Set a breakpoint"}</button>${stop && html`<span>set${stop.when ? ` when ${stop.when}` : ""}, pauses the ${stop.scope}</span>`}</p>
    ${said && html`<p role="alert" class="err">${said}</p>`}</form>`;
}
