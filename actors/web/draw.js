// Drawing: modules and wires are added, moved and removed in a copy of the flow; what that would do is tried, then applied.

import { html, useEffect, useRef, useState } from "/vendor/preact.js";
import { current, save } from "/saving.js";
import { ends, wireId } from "/text.js";

const QUIET_MS = 400;

/** The ends that wires may have: known ports of modules. */
function places(document, side) {
  const wired = document.wires.map(wireId).map(ends);
  return Object.entries(document.modules).flatMap(([id, module]) => {
    const declared = module.ports?.[side];
    const used = wired.filter((wire) => (side === "out" ? wire.from : wire.to) === id).map((wire) => (side === "out" ? wire.fromPort : wire.toPort));
    return [...new Set([...(declared ?? [side]), ...used])].map((port) => `${id}.${port}`);
  });
}

const whole = (place, port) => (place.includes(".") ? place : `${place}.${port}`);

export function Draw({ api, draft, setDraft, graph, chosen, applied }) {
  const { document: drawn, version } = draft;
  const [starters, setStarters] = useState([]);
  const [plan, setPlan] = useState(null);
  const [said, say] = useState(null);
  const latest = useRef();
  const add = useRef();
  const wire = useRef();
  latest.current = drawn;
  const flowId = drawn.id;

  useEffect(() => {
    api.call("listStarters").then(setStarters, (error) => say({ text: error.message }));
  }, []);
  const change = (next) => {
    say(null);
    setDraft({ document: { ...latest.current, ...next }, version, changed: true });
  };
  const wires = (next) => change({ wires: next });
  const addWire = (from, to) => {
    const id = `${whole(from, "out")} -> ${whole(to, "in")}`;
    if (latest.current.wires.some((one) => wireId(one) === wireId(id))) say({ text: `${id} is there already` });
    else wires([...latest.current.wires, id]);
  };
  useEffect(() => {
    if (!graph.current) return undefined;
    const first = (id, side) => places(latest.current, side).find((place) => place.startsWith(`${id}.`));
    graph.current.hand = { moved: (layout) => change({ layout: { ...latest.current.layout, ...layout } }), wired: (from, to) => addWire(first(from, "out"), first(to, "in")) };
    return () => { graph.current.hand = null; };
  }, [version]);
  useEffect(() => {
    if (!draft.changed) return undefined;
    setPlan({ text: "what that would do is tried…" });
    const timer = setTimeout(() => {
      api.call("addOrUpdateFlow", { flow: drawn, plan: true, expectedVersion: version }).then((receipt) => {
        const rows = Object.entries(receipt.modules).filter(([, row]) => row.did !== "untouched").map(([name, row]) => `${name} ${row.did}`);
        if (latest.current === drawn) setPlan({ ok: true, text: `It would be: ${rows.join(", ") || "no module is touched"}` });
      }, (error) => latest.current === drawn && setPlan({ text: error.message }));
    }, QUIET_MS);
    return () => clearTimeout(timer);
  }, [drawn]);

  const addModule = (event) => {
    event.preventDefault();
    const { kind, name } = Object.fromEntries(new FormData(add.current));
    if (drawn.modules[name]) return say({ text: `there is a module ${name} already` });
    const { module } = starters.find((one) => one.name === kind);
    const text = module.code?.replaceAll("NAME", name);
    change({ modules: { ...drawn.modules, [name]: text === undefined ? module : { ...module, code: text } } });
    add.current.reset();
    return undefined;
  };
  const remove = (id) => {
    const { [id]: _, ...modules } = drawn.modules;
    const { [id]: __, ...layout } = drawn.layout ?? {};
    change({ modules, wires: drawn.wires.filter((one) => ![ends(wireId(one)).from, ends(wireId(one)).to].includes(id)), ...(drawn.layout ? { layout } : {}) });
  };
  const apply = async () => {
    say({ ok: true, text: "applying…" });
    try {
      await api.call("addOrUpdateFlow", { flow: drawn, expectedVersion: version });
      const { state } = await api.call("flowState", { flowId, rates: false });
      setDraft(await current(api, flowId));
      setPlan(null);
      applied();
      say({ ok: true, text: `applied, the flow is ${state}; ${await save(api, flowId)}` });
    } catch (error) {
      say({ text: error.message });
    }
  };
  const near = drawn.wires.filter((one) => [ends(wireId(one)).from, ends(wireId(one)).to].includes(chosen));
  return html`<section class="draw" aria-label="draw">
    <form class="tools" ref=${add} onSubmit=${addModule}>
      <label>Add <select name="kind" aria-label="kind of module">${starters.map((one) => html`<option value=${one.name}>${one.name}</option>`)}</select></label>
      <label>called <input name="name" required pattern="[A-Za-z_][A-Za-z0-9_\\-]{0,63}" autocomplete="off" /></label> <button>Add</button></form>
    <form class="tools" ref=${wire} onSubmit=${(event) => { event.preventDefault(); const { from, to } = Object.fromEntries(new FormData(wire.current)); addWire(from, to); }}>
      <label>Wire <input name="from" list="outs" required placeholder="module.port" /></label> <label>to <input name="to" list="ins" required placeholder="module.port" /></label> <button>Wire</button>
      <datalist id="outs">${places(drawn, "out").map((one) => html`<option value=${one} />`)}</datalist><datalist id="ins">${places(drawn, "in").map((one) => html`<option value=${one} />`)}</datalist></form>
    ${drawn.modules[chosen] ? html`<p class="tools"><button onClick=${() => remove(chosen)}>Remove ${chosen}</button>
      ${near.map((one) => html`<button key=${wireId(one)} onClick=${() => wires(drawn.wires.filter((other) => other !== one))} aria-label=${`remove the wire ${wireId(one)}`}>✕ ${wireId(one)}</button>`)}</p>`
      : html`<p class="dim">Drag modules; drag from the dot of one to another to wire them. Choose one to remove it or its wires.</p>`}
    ${plan && html`<p role="status" class=${plan.ok ? "ok" : "warn"}>${plan.text}</p>`}
    ${said && html`<p role="alert" class=${said.ok ? "ok" : "err"}>${said.text}</p>`}
    <p class="tools"><button class="main" disabled=${!plan?.ok} onClick=${apply}>Apply</button> <button onClick=${() => setDraft(null)}>${draft.changed ? "Discard" : "Done"}</button></p>
  </section>`;
}
