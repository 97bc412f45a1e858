// The one thing that matters, on top: what the flow does, its sums, and what holds it back.

import { html, useMemo, useState } from "/vendor/preact.js";
import { useAsked } from "/panel.js";
import { clock, COMMANDS, short } from "/text.js";

const WHY_MS = 2000;

export function Header({ api, live, flow, flows, stale, goto, setWave, problem }) {
  const [said, say] = useState(null);
  const { state } = live;
  const { errors, seconds } = live.recent();
  const all = Object.values(state?.modules ?? {});
  const sum = (of) => all.reduce((total, one) => total + (of(one) ?? 0), 0);
  const paused = state?.debug.pausedBy;
  const tried = (method, done) => api.call(method, { flowId: live.flowId }).then((value) => { say(null); done?.(value); }, (error) => say(error.message));
  const step = () => tried("singleStepFlow", (wave) => {
    setWave(new Map(Object.entries(wave).map(([name, one]) => [name.split("/")[1], one])));
    if (!Object.keys(wave).length) say("Nothing is pending.");
  });
  const stop = () => confirm(`Stop ${live.flowId}? Mailboxes and contexts stay.`) && tried("stopFlow");
  const bad = [...errors.values()].reduce((a, b) => a + b, 0);
  return html`<header>
    <nav><a href="#/" aria-label="all flows">☰</a> ${flows.length > 1 ? html`<select aria-label="flow" value=${live.flowId} onChange=${(event) => goto(event.target.value)}>${flows.map((id) => html`<option>${id}</option>`)}</select>` : html`<h1>${live.flowId}</h1>`}</nav>
    ${state ? html`<span class=${`pill ${paused ? "paused" : state.state}`}>${paused ? "paused" : state.state}</span>` : !problem && html`<span class="dim">asking…</span>`}
    ${stale && html`<span class="pill old" role="alert">no word for ${Math.round(live.silence())} s; this is of ${clock(live.time)}</span>`}
    ${state && html`<span class="sums"><b>${all.length}</b> modules <b>${short(sum((one) => one.inPerS))}</b> messages/s <b>${short(sum((one) => one.queued))}</b> waiting
      <span class=${bad ? "err" : ""}><b>${short(bad)}</b> errors in ${seconds} s</span> <b>${short(state.deadLetters)}</b> dead letters</span>`}
    <span class="gap"></span>
    ${flow && html`<${Find} flow=${flow} goto=${goto} />`}
    ${state && (paused ? html`<button onClick=${step}>Step</button><button class="main" onClick=${() => tried("resumeFlow", () => setWave(null))}>Resume</button>`
      : state.state === "running" ? html`<button onClick=${() => tried("pauseFlow")}>Pause</button><button onClick=${stop}>Stop</button>` : html`<button onClick=${() => tried("startFlow")}>Start</button>`)}
    <div class="why">${problem || said ? html`<p class="err" role="alert">${problem || said}</p>` : state && html`<${Why} api=${api} live=${live} flow=${flow} paused=${paused} goto=${goto} />`}</div>
  </header>`;
}

/** Type or choose a name: the module is opened. */
function Find({ flow, goto }) {
  const ids = Object.keys(flow.modules);
  const options = useMemo(() => ids.map((id) => html`<option value=${id} />`), [flow]);
  return html`<input class="find" list="modules" aria-label="find a module" placeholder="find…" onChange=${(event) => {
    const typed = event.target.value.trim().toLowerCase();
    const found = ids.find((id) => id.toLowerCase() === typed) ?? ids.find((id) => id.toLowerCase().includes(typed));
    if (typed && found) {
      event.target.value = "";
      goto(flow.id, found);
    }
  }} /><datalist id="modules">${options}</datalist>`;
}

/** The sentence of `explain`; the module that it begins with is the link. */
function Why({ api, live, flow, paused, goto }) {
  const { value, error } = useAsked(api, "explain", { flowId: live.flowId }, WHY_MS, paused);
  if (error) return html`<p class="err">${error}</p>`;
  if (!value) return null;
  return html`<p aria-live="polite"><${Sentence} text=${value[0]} flow=${flow} live=${live} goto=${goto} />
    ${value.length > 1 && html` <details><summary>${`${value.length - 1} more`}</summary>${value.slice(1).map((text) => html`<p><${Sentence} text=${text} flow=${flow} live=${live} goto=${goto} /></p>`)}</details>`}</p>`;
}

function Sentence({ text: said, flow, live, goto }) {
  const text = said.replace(COMMANDS, "");
  const name = (flow ? Object.keys(flow.modules) : []).find((id) => text.startsWith(id) && !/[\w-]/.test(text[id.length] ?? ""));
  if (!name) return text;
  const its = live.state?.modules[name];
  const tab = its?.deadLettered || its?.errors ? "Errors" : "Figures";
  return html`<button class="link" onClick=${() => goto(flow.id, name, tab)}>${name}</button>${text.slice(name.length)}`;
}
