// What leaves a module's ports as it happens, and what is sent by hand.

import { html, useEffect, useRef, useState } from "/vendor/preact.js";
import { KeepAsTest } from "/saving.js";
import { clock, ends, json, pretty, wireId } from "/text.js";

const SHOWN = 50;
const PAUSE_MS = 250;

/** In-ports: those that wires lead to, and `in`. */
function inPorts(flow, id) {
  const wired = flow.wires.map(wireId).map(ends).filter((wire) => wire.to === id).map((wire) => wire.toPort);
  return [...new Set(["in", ...(flow.modules[id].ports?.in ?? []), ...wired])];
}

function outPorts(flow, id) {
  const wired = flow.wires.map(wireId).map(ends).filter((wire) => wire.from === id).map((wire) => wire.fromPort);
  return [...new Set(["out", ...(flow.modules[id].ports?.out ?? []), ...wired])];
}

/** Reads a tap until it is over; `took({messages, dropped})`. */
function useTap(api, flowModuleId, port, took) {
  useEffect(() => {
    let over = false;
    let tap;
    const read = async () => {
      tap = await api.call("tapPort", { flowModuleId, port });
      while (!over) {
        const came = await api.call("readTap", { tapId: tap });
        if (!over) took(came);
        await new Promise((done) => setTimeout(done, PAUSE_MS)); // what comes meanwhile is kept for the next call
      }
    };
    read().catch((error) => over || took({ messages: [], dropped: 0, error: error.message }));
    return () => {
      over = true;
      if (tap) api.call("endTap", { tapId: tap }).catch(() => {});
    };
  }, [flowModuleId, port]);
}

export function Messages({ api, flow, id }) {
  const [port, choosePort] = useState("out");
  const [seen, setSeen] = useState({ rows: [], dropped: 0, total: 0 });
  const [still, freeze] = useState(false);
  const frozen = useRef(false);
  frozen.current = still;
  const [draft, setDraft] = useState({ target: `${id}.${inPorts(flow, id)[0]}`, text: "" });
  const form = useRef();
  const [kept, tell] = useState(null);
  useTap(api, `${flow.id}/${id}`, port, ({ messages, dropped, error }) => setSeen((old) => {
    const time = Date.now() / 1000;
    const fresh = messages.slice(-SHOWN).map((one, at) => ({ ...one, time, key: old.total + at })).reverse();
    return { rows: frozen.current ? old.rows : [...fresh, ...old.rows].slice(0, SHOWN), dropped: old.dropped + dropped, total: old.total + messages.length, error };
  }));
  const behind = flow.wires.map(wireId).map(ends).filter((wire) => wire.from === id && wire.fromPort === port);
  const targets = [...inPorts(flow, id).map((one) => `${id}.${one}`), ...behind.map((wire) => `${wire.to}.${wire.toPort}`)];
  const again = (row) => {
    setDraft({ target: targets.at(-1), text: pretty(row.message), headers: row.headers });
    form.current.querySelector("textarea").focus();
  };
  return html`<div class="body">
    <p class="tools"><label>What leaves port <select value=${port} onChange=${(event) => { choosePort(event.target.value); setSeen({ rows: [], dropped: 0, total: 0 }); }}>${outPorts(flow, id).map((one) => html`<option>${one}</option>`)}</select></label>
      <button aria-pressed=${still} onClick=${() => freeze(!still)}>Hold still</button></p>
    <${Send} api=${api} flow=${flow} targets=${[...new Set(targets)]} draft=${draft} setDraft=${setDraft} formRef=${form} />
    ${kept && html`<p role="status" class=${kept.ok ? "ok" : "err"}>${kept.text}</p>`}
    ${seen.error && html`<p class="err" role="alert">${seen.error}</p>`}
    ${seen.dropped > 0 && html`<p class="warn">${seen.dropped} were not shown: they came faster than this page reads.</p>`}
    ${!seen.rows.length && !seen.error && html`<p class="dim">Nothing has left it since this was opened.</p>`}
    <ol class="messages">${seen.rows.map((row) => html`<li key=${row.key}>
      <time>${clock(row.time)}</time><button onClick=${() => again(row)}>Send again…</button>${behind.length > 0 && html` <${KeepAsTest} api=${api} flow=${flow} sent=${Object.fromEntries(behind.map((wire) => [wire.to, [{ port: wire.toPort, message: row.message }]]))} tell=${tell} />`}
      <pre>${json(row.message)}${row.headers ? `\n${json(row.headers)}` : ""}</pre></li>`)}</ol>
  </div>`;
}

function Send({ api, flow, targets, draft, setDraft, formRef }) {
  const [said, say] = useState(null);
  const send = async (event) => {
    event.preventDefault();
    try {
      const message = JSON.parse(draft.text);
      const [module, port] = draft.target.split(".");
      await api.call("sendMessage", { flowModuleId: `${flow.id}/${module}`, port, message });
      say({ ok: true, text: `${draft.target} has it (${clock(Date.now() / 1000)})` });
    } catch (error) {
      say({ text: error instanceof SyntaxError ? `this is no JSON: ${error.message}` : error.message });
    }
  };
  return html`<form ref=${formRef} class="send" onSubmit=${send}>
    <label>Send to <select value=${draft.target} onChange=${(event) => setDraft({ ...draft, target: event.target.value })}>${targets.map((one) => html`<option>${one}</option>`)}</select></label>
    <textarea rows="3" spellcheck=${false} aria-label="message, as JSON" placeholder='{"value": 1}' value=${draft.text} onInput=${(event) => setDraft({ ...draft, text: event.target.value })}></textarea>
    <button class="main">Send</button> ${draft.headers && html`<span class="dim">without its headers</span>`} ${said && html`<span role="status" class=${said.ok ? "ok" : "err"}>${said.text}</span>`}
  </form>`;
}
