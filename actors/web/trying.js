// What another text of a module makes of its messages, beside what the running one makes of them.

import { html, useState } from "/vendor/preact.js";
import { KeepAsTest } from "/saving.js";
import { count, json } from "/text.js";

const SHOWN = 20;
const MARKS = { same: "✓", different: "≠", error: "✕" };
const CLASSES = { same: "ok", different: "warn", error: "err" };

/** `{same, different, errors}` in words. */
function words(found) {
  const parts = [[found.same, "the same"], [found.different, "differ"], [found.errors, "fail"]];
  return parts.filter(([n], at) => n || !at).map(([n, what]) => `${n.toLocaleString()} ${what}`).join(", ");
}

/** `lineOf(error)`: its line in the text; `module`: the fields that were tried. */
export function Tried({ api, flow, id, module, found, lineOf, goto }) {
  if (!found.messages) return html`<p class="dim">${found.ended ? `No message was compared: ${found.ended}.` : "It has had no messages to try it on."}</p>`;
  const keys = Object.entries(found.context);
  return html`<section class="kind tried" aria-label="what it makes of its messages">
    <h3>${found.live ? "" : "The last "}${count(found.messages, "message")}: <span class=${found.errors ? "err" : found.different ? "warn" : "ok"}>${words(found)}</span></h3>
    ${found.each?.length <= SHOWN && html`<p class="marks" aria-hidden="true">${found.each.map((kind) => html`<span class=${CLASSES[kind]}>${MARKS[kind]}</span>`)}</p>`}
    ${found.live && Object.entries(found.ports).map(([port, its]) => html`<p class="dim" key=${port}>${port}: ${its.same.toLocaleString()} the same, ${its.different.toLocaleString()} differ</p>`)}
    ${found.ended && html`<p class="warn">It has ended: ${found.ended}.</p>`}
    ${found.unsteady > 0 && html`<p class="warn">Of these ${found.unsteady} differ in the version that runs, too, when it does them once more.</p>`}
    ${found.unclear > 0 && html`<p class="warn">What ${count(found.unclear, "message")} have come to could not be told apart.</p>`}
    <ol class="messages">${found.differences.slice(0, SHOWN).map((row) => html`<${Difference} key=${row.number} api=${api} flow=${flow} id=${id} module=${module} row=${row} line=${row.error && lineOf(row.error)} goto=${goto} />`)}</ol>
    ${found.different + found.errors > SHOWN && html`<p class="dim">and ${(found.different + found.errors - Math.min(SHOWN, found.differences.length)).toLocaleString()} more</p>`}
    ${keys.length > 0 && html`<p class="dim">In the context:</p>${keys.map(([key, its]) => html`<pre key=${key}>${key}: ${json(its.before) ?? "nothing"} → ${json(its.after) ?? "nothing"}</pre>`)}`}
  </section>`;
}

function Difference({ api, flow, id, module, row, line, goto }) {
  const sent = { [id]: [{ port: row.port, message: row.message }] };
  const side = (outputs, error, sign, kind) => html`${Object.entries(outputs).flatMap(([port, all]) => all.map((one) => html`<pre class=${kind}>${sign} ${port} ${json(one)}</pre>`))}
    ${error && html`<pre class=${kind}>${sign} ${error.type}: ${error.message}</pre>`}`;
  return html`<li><span class="dim">${row.number} · ${row.port}</span>${row.unsteady && html` <span class="warn">differs by itself</span>`}
    ${line && html` <button class="link" onClick=${() => goto(line)}>line ${line}</button>`}
    <pre>${json(row.message)}</pre>${side(row.before, row.errorBefore, "−", "dim")}${side(row.after, row.error, "+", row.error ? "err" : "warn")}
    <p class="tools">Keep as a test: <${KeepAsTest} api=${api} flow=${flow} sent=${sent} label="as it is" /> <${KeepAsTest} api=${api} flow=${flow} sent=${sent} more=${{ side: "after", module }} label="as the new text has it" /></p></li>`;
}

/** The new text on the messages that come: a button, how far it is, and another that ends it. `fields()`: of the module. */
export function Shadow({ api, flowModuleId, fields, disabled, done }) {
  const [most, choose] = useState(1000);
  const [state, set] = useState(null); // {text} while it runs, {error} after
  const [refused, setRefused] = useState(false);
  const begin = async (yes) => {
    setRefused(false);
    set({ text: "it waits for messages…" });
    try {
      const found = await api.call("shadowModule", { flowModuleId, module: fields(), messages: most, yes }, (text) => set({ text }));
      set(null);
      done(found);
    } catch (error) {
      set({ error: error.message });
      setRefused(error.message.includes("--yes"));
    }
  };
  const end = () => api.call("endShadow", { flowModuleId }).catch((error) => set({ error: error.message }));
  return html`<span class="tools"><button disabled=${disabled || state?.text} onClick=${() => begin(false)}>Shadow</button>
    <label>on the next <input class="number" type="number" min="1" max="1000000" value=${most} onInput=${(event) => choose(Math.max(1, Number(event.target.value) || 1))} /> messages</label>
    ${state?.text && html`<button onClick=${end}>End it</button> <span role="status">${state.text}</span>`}
    ${refused && html`<button onClick=${() => begin(true)}>Do it all the same</button>`}
    ${state?.error && html`<span role="alert" class="err">${state.error}</span>`}</span>`;
}
