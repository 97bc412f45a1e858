// What is known of one module, and what can be done with it.

import { html, useEffect, useRef, useState } from "/vendor/preact.js";
import { Figures } from "/figures.js";
import { Letters } from "/letters.js";
import { Messages } from "/messages.js";
import { clock, colour, condition, pretty } from "/text.js";

const ASK_MS = 1000;

/** The answer of a call, asked again and again while it is shown; the last one stays when a call fails, and says so.
 *  `because`: when it differs, it is asked at once. */
export function useAsked(api, method, params, everyMs = ASK_MS, because = null) {
  const [asked, set] = useState({ value: undefined, time: 0, error: null });
  const key = JSON.stringify([method, params]);
  useEffect(() => {
    let timer;
    let over = false;
    const ask = async () => {
      const next = await api.call(method, params).then((value) => ({ value, time: Date.now() / 1000, error: null }), (error) => ({ error: error.message }));
      if (over) return;
      set((old) => ({ ...old, ...next }));
      timer = setTimeout(ask, everyMs);
    };
    ask();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [key, because]);
  return asked;
}

function Context({ api, flow, id }) {
  const { value, time, error } = useAsked(api, "getContext", { flowModuleId: `${flow.id}/${id}` });
  const keys = Object.entries(value ?? {});
  return html`<div class="body">
    ${error ? html`<p class="err" role="alert">${error}</p>` : html`<p class="dim">${time ? `As of the last commit before ${clock(time)}.` : "asking…"}</p>`}
    ${value && !keys.length && html`<p>Nothing is stored.</p>`}
    <dl>${keys.map(([name, one]) => html`<dt key=${name}>${name}</dt><dd><pre>${pretty(one)}</pre></dd>`)}</dl>
  </div>`;
}

/** A part of the page that is loaded when it is first opened. */
export const later = (path, name) => function Later(props) {
  const [loaded, set] = useState({});
  useEffect(() => {
    import(path).then((all) => set({ It: all[name] }), (error) => set({ error: error.message }));
  }, []);
  return loaded.It ? html`<${loaded.It} ...${props} />` : html`<p class=${loaded.error ? "err" : "dim"} role="status">${loaded.error ?? "loading…"}</p>`;
};

const Source = later("/source.js", "Source");
const Step = later("/debug.js", "Step");
const Log = later("/log.js", "Log");

const TABS = { Figures, Source, Messages, Context, Errors: Letters, Step, Log };

export function Panel({ api, flow, id, tab, line, live, wave, goto, close }) {
  const its = live.state?.modules[id];
  const stop = live.state?.debug.breakpoints[id];
  const [problem, setProblem] = useState("");
  const heading = useRef();
  useEffect(() => {
    heading.current.focus({ preventScroll: true });
    setProblem("");
  }, [id]);
  const breakpoint = () => api.call(stop ? "removeBreakPointAtModule" : "setBreakPointAtModule", { flowModuleId: `${flow.id}/${id}` }).then(() => setProblem(""), (error) => setProblem(error.message));
  const names = Object.keys(TABS);
  const arrows = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = names[(names.indexOf(tab) + step + names.length) % names.length];
    goto(flow.id, id, next);
    document.getElementById(`tab-${next}`).focus();
  };
  const Body = TABS[tab];
  return html`<aside aria-label=${`module ${id}`} onKeyDown=${(event) => event.key === "Escape" && !event.defaultPrevented && close()}>
    <div class="title"><i style=${{ background: colour(flow.modules[id].runtime) }}></i><h2 ref=${heading} tabindex="-1">${id}</h2><span class="dim">${flow.modules[id].runtime}${condition(its) && ` · ${condition(its)}`}</span><span class="gap"></span>
      ${!its?.source && html`<button aria-pressed=${Boolean(stop)} onClick=${breakpoint} title=${stop?.when ?? ""}>Breakpoint</button>`}
      <button onClick=${close} aria-label="close">✕</button></div>
    ${problem && html`<p class="err" role="alert">${problem}</p>`}
    <div class="tabs" role="tablist" onKeyDown=${arrows}>${names.map((name) => html`<button role="tab" id=${`tab-${name}`} aria-selected=${name === tab} aria-controls="tabpanel" tabindex=${name === tab ? 0 : -1} onClick=${() => goto(flow.id, id, name)}>${name}</button>`)}</div>
    <div role="tabpanel" id="tabpanel" aria-labelledby=${`tab-${tab}`} tabindex="0"><${Body} key=${`${id}/${tab}`} api=${api} flow=${flow} id=${id} live=${live} wave=${wave} goto=${goto} line=${line} /></div>
  </aside>`;
}

export const tabOf = (name) => (TABS[name] ? name : "Figures");
