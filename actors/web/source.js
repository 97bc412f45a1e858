// The text of a module: edit, check, apply, what that did, the versions before, and back to one of them.

import { html, useEffect, useRef, useState } from "/vendor/preact.js";
import { clock, ms, short } from "/text.js";
import { save } from "/saving.js";
import { Shadow, Tried } from "/trying.js";

const QUIET_MS = 500;
const WATCHED_S = 60;
const TRIED = 20; // messages, as one types
const drafts = new Map(); // what was typed and not applied, by flow/module: {texts: {file: text}, base}; the main text is the file ""
addEventListener("beforeunload", (event) => drafts.size && event.preventDefault());

/** Where the text begins in the flow's file, if it stands there; then errors count lines from the file's. */
const firstLine = (document, id) => document.origin?.code?.[id]?.line ?? 1;

/** Line of a module's text (or of one of its `files`) that an error names, or undefined. */
function lineOfError(document, id, error, file) {
  const other = Object.keys(document.modules[id]?.files ?? {}).find((name) => error?.file === name || error?.file?.endsWith(`/${name}`)) ?? "";
  if (!error?.line || other !== file) return undefined;
  return error.file === document.origin?.file ? error.line - firstLine(document, id) + 1 : error.line;
}

const textOf = (document, id, file) => (file ? document?.modules[id]?.files?.[file] : document?.modules[id]?.code);

/** The fields of a module with other texts. */
function fieldsOf(module, { "": code = module.code, ...files }) {
  return { code, ...(Object.keys(files).length ? { files: { ...module.files, ...files } } : {}) };
}

/** The same of a sentence: `flow/module cannot be loaded: FILE:LINE:COLUMN: what`. */
function problemsOf(document, id, sentences, file) {
  return sentences.filter((text) => text.startsWith(`${document.id}/${id} `)).flatMap((text) => {
    const found = /: ([^:]+):(\d+)(?::\d+)?: (.*)/s.exec(text);
    const line = found && lineOfError(document, id, { file: found[1], line: Number(found[2]) }, file);
    return line === undefined || line === null ? [] : [{ line, text: found[3] }];
  });
}

/** The lines that messages have failed at. */
function problemsIn(document, id, found, file) {
  const failed = (found?.differences ?? []).filter((row) => row.error && lineOfError(document, id, row.error, file));
  const byLine = new Map(failed.map(({ error }) => [lineOfError(document, id, error, file), `${error.type}: ${error.message}`]));
  return [...byLine].map(([line, text]) => ({ line, text }));
}

const sentencesOf = (error) => (Array.isArray(error.data) ? error.data : [error.message]);

/** Of the main text, or of one of the module's `files`. */
export function Source(props) {
  const files = Object.keys(props.flow.modules[props.id].files ?? {});
  const [file, choose] = useState("");
  const shown = files.includes(file) ? file : "";
  return html`${files.length > 0 && html`<p class="tools file"><label>File <select value=${shown} onChange=${(event) => choose(event.target.value)}><option value="">${props.flow.modules[props.id].name ?? props.id}</option>${files.map((name) => html`<option>${name}</option>`)}</select></label></p>`}
    <${Text} key=${shown} file=${shown} ...${props} />`;
}

function Text({ api, flow, id, file, line, live }) {
  const key = `${flow.id}/${id}`;
  const [versions, setVersions] = useState(null);
  const [draft, setDraft] = useState(drafts.get(key)); // what is typed, and upon which version
  const [checked, check] = useState(null);
  const [said, say] = useState(null);
  const [applied, setApplied] = useState(null);
  const [shown, compare] = useState("");
  const [shadowed, setShadowed] = useState(null);
  const box = useRef();
  const editor = useRef();
  const timer = useRef();
  const latest = useRef({});

  const version = live.state?.version;
  const load = () => api.call("listVersions", { flowId: flow.id }).then(setVersions, (error) => say({ text: error.message }));
  useEffect(() => void load(), [key, version]);
  const now = versions?.find((one) => one.current);
  const text = textOf(now?.document, id, file);
  const keep = (next) => {
    if (next) drafts.set(key, next);
    else drafts.delete(key);
    setDraft(next);
  };
  const withTexts = ({ texts }) => ({ ...now.document, modules: { ...now.document.modules, [id]: { ...now.document.modules[id], ...fieldsOf(now.document.modules[id], texts) } } });

  const tried = async (typedNow) => {
    const document = withTexts(typedNow);
    check({ text: "checking…" });
    const outcome = await api.call("addOrUpdateFlow", { flow: document, plan: true }).then((receipt) => ({ ok: true, text: `It can be loaded: ${plan(receipt)}` }), (error) => ({ text: wordsOf(document, id, error, file), problems: problemsOf(document, id, sentencesOf(error), file) }));
    const isOld = () => latest.current.draft !== typedNow; // there is a newer text
    if (isOld()) return;
    check(outcome);
    editor.current?.problems(outcome.problems ?? []);
    if (!outcome.ok) return;
    const tried = await api.call("shadowModule", { flowModuleId: key, module: fieldsOf(now.document.modules[id], typedNow.texts), messages: TRIED, recent: true }).then((found) => ({ found }), (error) => ({ not: error.message }));
    if (isOld()) return;
    check({ ...outcome, ...tried });
    editor.current?.problems(problemsIn(document, id, tried.found, file));
  };
  const typed = (code) => {
    clearTimeout(timer.current);
    const { now: base, draft: before } = latest.current;
    const texts = { ...before?.texts, [file]: code };
    if (code === textOf(base.document, id, file)) delete texts[file];
    const next = Object.keys(texts).length ? { texts, base: before?.base ?? base.version } : undefined;
    keep(next);
    check(null);
    setShadowed(null);
    editor.current.problems([]);
    if (next) timer.current = setTimeout(() => latest.current.tried(next), QUIET_MS);
  };
  const apply = async () => {
    clearTimeout(timer.current);
    const { draft: typedNow, now: base } = latest.current;
    if (!typedNow) return;
    say({ ok: true, text: "applying…" });
    const before = { perS: errorRate(live, id), inPerS: live.state.modules[id].inPerS };
    try {
      await api.call("addOrUpdateFlow", { flow: withTexts(typedNow), expectedVersion: typedNow.base });
      const [receipt, accounts, state] = await Promise.all([api.call("lastReceipt", { flowId: flow.id }), api.call("audit"), api.call("flowState", { flowId: flow.id, rates: false })]);
      Object.assign(before, { errors: state.modules[id].errors, at: Date.now() / 1000 });
      keep(undefined);
      check(null);
      setShadowed(null);
      say(null);
      setApplied({ receipt, before, lost: lostOf(accounts, flow.id), back: base.version });
      await load();
    } catch (error) {
      await load();
      say({ text: wordsOf(base.document, id, error, file) });
      editor.current.problems(problemsOf(base.document, id, sentencesOf(error), file));
    }
  };
  const back = async (to, context) => {
    say({ ok: true, text: "going back…" });
    try {
      await api.call("rollbackFlow", { flowId: flow.id, version: to, context });
      keep(undefined);
      setApplied({ receipt: await api.call("lastReceipt", { flowId: flow.id }), lost: lostOf(await api.call("audit"), flow.id) });
      say({ ok: true, text: `The flow is as it was in version ${to}.` });
      compare("");
    } catch (error) {
      say({ text: error.message });
    }
  };

  useEffect(() => {
    if (text === undefined) return;
    if (editor.current) {
      if (latest.current.draft?.texts[file] === undefined) editor.current.replace(text);
      return;
    }
    let over = false;
    import("/editor.js").then(({ Editor }) => {
      if (over || editor.current || !box.current) return;
      editor.current = new Editor(box.current, { label: `source of ${id}${file && `, ${file}`}`, runtime: flow.modules[id].runtime, text: latest.current.draft?.texts[file] ?? text, changed: typed, apply: () => latest.current.apply() });
      editor.current.compare(latest.current.original);
      if (line) editor.current.goto(lineOfError(now.document, id, { file: now.document.origin?.file, line }, "") ?? line);
    }, (error) => say({ text: `the editor cannot be loaded: ${error.message}` }));
    return () => { over = true; };
  }, [text]);
  useEffect(() => () => {
    clearTimeout(timer.current);
    editor.current?.end();
  }, []);
  const original = textOf(versions?.find((one) => String(one.version) === shown)?.document, id, file) ?? null;
  latest.current = { draft, now, apply, tried, original };
  const outdated = Boolean(draft && now && draft.base !== now.version);
  useEffect(() => {
    if (outdated) compare(String(now.version));
  }, [outdated]);
  useEffect(() => editor.current?.compare(original), [original]);

  if (versions && !now) return html`<div class="body"><p class="dim">The runner has no text of it.</p></div>`;
  return html`<div class="source">
    <div class="edit" ref=${box}></div>
    <div class="foot">
      <p class="tools"><button class="main" disabled=${!draft} onClick=${apply}>Apply</button>
        <button disabled=${!draft} onClick=${() => { keep(undefined); editor.current.replace(text); say(null); compare(""); }}>Discard</button>
        <label>Difference to <select value=${shown} onChange=${(event) => compare(event.target.value)}><option value="">nothing</option>${(versions ?? []).map((one) => html`<option value=${String(one.version)}>version ${one.version}${one.current ? " (runs)" : ""}</option>`)}</select></label>
        ${shown && !versions?.find((one) => String(one.version) === shown)?.current && html`<${Back} to=${Number(shown)} back=${back} />`}
        <span class="dim">${now ? `version ${now.version}` : "asking…"}</span>
        ${now && html`<${Shadow} api=${api} flowModuleId=${key} fields=${() => fieldsOf(now.document.modules[id], latest.current.draft.texts)} disabled=${!draft} done=${setShadowed} />`}</p>
      ${outdated && html`<div role="alert"><p class="warn">You began with version ${draft.base}; the flow is at version ${now.version} now. The difference to it is marked above.</p>
        <p class="tools"><button onClick=${() => { keep({ ...draft, base: now.version }); say(null); }}>Keep my text, on version ${now.version}</button></p></div>`}
      ${checked && html`<p role="status" class=${checked.ok ? "ok" : checked.problems ? "err" : "dim"}>${checked.text}</p>`}
      ${checked?.not && html`<p class="dim">It is not tried on messages: ${checked.not}</p>`}
      ${(shadowed ?? checked?.found) && html`<${Tried} api=${api} flow=${flow} id=${id} module=${fieldsOf(now.document.modules[id], draft?.texts ?? {})} found=${shadowed ?? checked.found} lineOf=${(error) => lineOfError(now.document, id, error, file)} goto=${(to) => editor.current.goto(to)} />`}
      ${said && html`<p role="alert" class=${said.ok ? "ok" : "err"}>${said.text}</p>`}
      ${applied && html`<${Applied} api=${api} flowId=${flow.id} live=${live} id=${id} applied=${applied} back=${back} />`}
    </div></div>`;
}

/** With lines of the text where they are known. */
function wordsOf(document, id, error, file) {
  const found = problemsOf(document, id, sentencesOf(error), file);
  return found.length ? found.map(({ line, text }) => `line ${line}: ${text}`).join("\n") : sentencesOf(error).join("\n");
}

const plan = (receipt) => Object.entries(receipt.modules).filter(([, row]) => row.did !== "untouched").map(([name, row]) => `${name} ${row.did}`).join(", ") || "nothing differs";

/** Messages that are in no account: what came is done, waits, was dropped or is a dead letter. */
function lostOf(accounts, flowId) {
  const rows = Object.entries(accounts).filter(([name]) => name.startsWith(`${flowId}/`)).map(([, row]) => row);
  return rows.reduce((sum, row) => sum + row.accepted - row.completed - row.queued - row.dropped - row.deadLettered, 0);
}

/** Errors a second of a module over the last minute, or since the page looks on. */
function errorRate(live, id) {
  const { errors, seconds } = live.recent();
  return seconds ? (errors.get(id) ?? 0) / seconds : NaN;
}

function Back({ to, back }) {
  return html`<button onClick=${(event) => back(to, event.currentTarget.nextElementSibling.value)}>Roll the flow back to ${to}</button>
    <select aria-label="contexts after going back" title="contexts after going back"><option value="current">contexts as now</option><option value="snapshot">contexts as then</option></select>`;
}

/** The receipt; for a minute, what errors and rates were before and are now. */
function Applied({ api, flowId, live, id, applied: { receipt, before, lost, back: version }, back }) {
  const [saved, say] = useState(null);
  const rows = Object.entries(receipt.modules).filter(([, row]) => row.did !== "untouched");
  const its = live.state?.modules[id];
  const since = before && live.time - before.at;
  return html`<section class="kind" aria-label="receipt">
    <h3>Version ${receipt.version} runs</h3>
    ${rows.map(([name, row]) => html`<p key=${name}>${name} ${row.did}${row.pauseMs == null ? "" : `, paused ${ms(row.pauseMs)}`}${row.held == null ? "" : `, ${row.held} held`}${row.migrated ? ", migrated" : ""}${row.mixed ? ", mixed: messages in front of it may meet both versions" : ""}${row.stopError ? html`, <span class="err">its stop failed</span>` : ""}</p>`)}
    <p class=${lost ? "err" : "ok"}>${lost} lost, by the accounts of all modules</p>
    ${before && its && since > 0 && since < WATCHED_S && html`<table class="facts"><tbody>
      <tr><th></th><th>before</th><th>in the ${Math.round(since)} s since</th></tr>
      <tr><th>errors a second</th><td>${short(before.perS)}</td><td>${short(Math.max(0, its.errors - before.errors) / since)}</td></tr>
      <tr><th>messages a second</th><td>${short(before.inPerS)}</td><td>${short(its.inPerS)}</td></tr></tbody></table>`}
    ${version !== undefined && html`<p class="tools"><button onClick=${() => back(version, "current")}>Roll back to version ${version}</button> <span class="dim">${clock(live.time)}</span></p>`}
    <p class="tools"><button onClick=${() => save(api, flowId).then((text) => say({ ok: true, text }), (error) => say({ text: error.message }))}>Save</button> ${saved ? html`<span role="status" class=${saved.ok ? "ok" : "err"}>${saved.text}</span>` : html`<span class="dim">into the flow's file</span>`}</p>
  </section>`;
}
