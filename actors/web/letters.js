// Dead letters: messages that could not be handled, by what went wrong. Edit, send again one or all of a kind, drop.

import { html, useEffect, useState } from "/vendor/preact.js";
import { KeepAsTest } from "/saving.js";
import { clock, count, json, pretty } from "/text.js";

const SHOWN = 20;
const AT_ONCE = 32;

/** One kind: the same error at the same place. */
const kind = (letter) => json([letter.flowModuleId, letter.error?.type, letter.error?.file, letter.error?.line]);
export const place = (error) => (error?.file ? `${error.file}${error.line ? `:${error.line}` : ""}` : "");

/** Dead letters of a flow, or of one module of it; asked again whenever `version` differs. */
function useLetters(api, flowId, id, version) {
  const [letters, setLetters] = useState(null);
  const [again, ask] = useState(0);
  useEffect(() => {
    let over = false;
    api.call("deadLetters", { flowId }).then((all) => over || setLetters(all.filter((one) => !id || one.flowModuleId === `${flowId}/${id}`)), () => {});
    return () => { over = true; };
  }, [flowId, id, version, again]);
  return [letters, () => ask(again + 1)];
}

export function Letters({ api, flow, id, live, goto }) {
  const [letters, refresh] = useLetters(api, flow.id, id, live.state?.deadLetters);
  const last = id && live.state?.modules[id]?.lastError;
  const { errors, seconds } = live.recent();
  const kinds = Map.groupBy ? Map.groupBy(letters ?? [], kind) : groups(letters ?? [], kind);
  return html`<div class="body">
    ${id && html`<p>${count(errors.get(id) ?? 0, "error")} in the last ${seconds} s, ${count(live.state?.modules[id]?.errors ?? 0, "error")} since it was started.</p>`}
    ${last && html`<section class="kind"><h3>Last error <time>${clock(last.time)}</time></h3><${ErrorText} error=${last} flow=${flow} id=${id} goto=${goto} /></section>`}
    <h3>Dead letters</h3>
    ${letters === null ? html`<p class="dim">asking…</p>` : !letters.length && html`<p class="dim">None.</p>`}
    ${[...kinds.values()].map((some) => html`<${Kind} key=${kind(some[0])} api=${api} flow=${flow} letters=${some} refresh=${refresh} goto=${goto} named=${!id} />`)}
  </div>`;
}

function groups(list, of) {
  const found = new Map();
  for (const one of list) found.set(of(one), [...(found.get(of(one)) ?? []), one]);
  return found;
}

export function ErrorText({ error, flow, id, goto }) {
  return html`<p class="err">${error.type}: ${error.message}</p>
    ${place(error) && html`<p><button class="link" onClick=${() => goto(flow.id, id, "Source", error.line)}>${place(error)}</button></p>`}
    ${error.stack && html`<details><summary>Stack</summary><pre>${error.stack}</pre></details>`}`;
}

function Kind({ api, flow, letters, refresh, goto, named }) {
  const [said, say] = useState(null);
  const [first] = letters;
  const id = first.flowModuleId.split("/")[1];
  const all = async (method, done) => {
    let right = 0;
    const problems = [];
    for (let at = 0; at < letters.length; at += AT_ONCE) {
      const some = letters.slice(at, at + AT_ONCE).map((one) => api.call(method, { id: one.id }));
      for (const outcome of await Promise.allSettled(some)) outcome.status === "fulfilled" ? right++ : problems.push(outcome.reason.message);
      say({ ok: !problems.length, text: `${right} of ${letters.length} ${done}${problems.length ? `; refused: ${problems[0]}` : ""}` });
    }
    refresh();
  };
  return html`<section class="kind" aria-label=${`${first.error?.type ?? "error"} in ${id}`}>
    <h3>${letters.length} × ${first.error?.type ?? "error"}${named && html` in <button class="link" onClick=${() => goto(flow.id, id, "Errors")}>${id}</button>`}</h3>
    <${ErrorText} error=${first.error ?? { type: "error", message: "" }} flow=${flow} id=${id} goto=${goto} />
    <p class="tools"><button class="main" onClick=${() => all("replayDeadLetter", "sent again")}>Replay ${letters.length === 1 ? "it" : `all ${letters.length}`}</button>
      <button onClick=${() => confirm(`Drop ${count(letters.length, "dead letter")}? They are gone then.`) && all("dropDeadLetter", "dropped")}>Drop${letters.length === 1 ? "" : " all"}…</button>
      ${said && html`<span role="status" class=${said.ok ? "ok" : "err"}>${said.text}</span>`}</p>
    <ol class="messages">${letters.slice(0, SHOWN).map((one) => html`<${Letter} key=${one.id} api=${api} flow=${flow} letter=${one} refresh=${refresh} />`)}</ol>
    ${letters.length > SHOWN && html`<p class="dim">and ${letters.length - SHOWN} more</p>`}
  </section>`;
}

function Letter({ api, flow, letter, refresh }) {
  const id = letter.flowModuleId.split("/")[1];
  const dead = [{ type: letter.error.type, text: letter.error.message }];
  const [text, edit] = useState(null);
  const [said, say] = useState("");
  const tried = (work) => work.then(() => refresh(), (error) => say(error instanceof SyntaxError ? `this is no JSON: ${error.message}` : error.message));
  const save = async () => {
    await api.call("editDeadLetter", { id: letter.id, message: JSON.parse(text) });
    edit(null);
    say("");
  };
  return html`<li><time>${clock(letter.time)}</time> <span class="dim">${letter.id} to ${letter.port}</span>
    ${text === null ? html`<pre>${json(letter.message)}</pre>
        <button onClick=${() => edit(pretty(letter.message))}>Edit</button> <button onClick=${() => tried(api.call("replayDeadLetter", { id: letter.id }))}>Replay</button> <button onClick=${() => tried(api.call("dropDeadLetter", { id: letter.id }))}>Drop</button> <${KeepAsTest} api=${api} flow=${flow} sent=${{ [id]: [{ port: letter.port, message: letter.message }] }} more=${{ seen: () => ({ expect: {}, dead }) }} />`
      : html`<textarea rows="4" spellcheck=${false} aria-label=${`message of ${letter.id}, as JSON`} value=${text} onInput=${(event) => edit(event.target.value)}></textarea>
        <button class="main" onClick=${() => tried(save())}>Save</button> <button onClick=${() => { edit(null); say(""); }}>Cancel</button>`}
    ${said && html`<span role="alert" class="err">${said}</span>`}</li>`;
}
