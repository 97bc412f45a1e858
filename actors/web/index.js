// The web view: which flow and module are looked at (`#/FLOW/MODULE/TAB`), and the frame around them.
// The token stands behind the # of the address that `runner open` prints: it is not sent with it.

import { html, render, useEffect, useMemo, useRef, useState } from "/vendor/preact.js";
import { Api } from "/api.js";
import { Header } from "/header.js";
import { Graph } from "/graph.js";
import { Home } from "/home.js";
import { Live } from "/live.js";
import { Panel, tabOf } from "/panel.js";

const STALE_S = 3;

function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("token");
}

const atFirst = takeToken(); // before the address is read as a place

/** The place in the address: `{flow, module, tab, line}`. */
function usePlace() {
  const read = () => {
    const [path, line] = location.hash.replace(/^#\/?/, "").split(":");
    const [flow, module, tab] = path.split("/").map(decodeURIComponent);
    return { flow, module, tab: tabOf(tab), line: line ? Number(line) : undefined };
  };
  const [place, set] = useState(read);
  useEffect(() => {
    const changed = () => set(read());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return place;
}

const goto = (flow, module, tab, line) => {
  location.hash = `#/${[flow, module, module && tab].filter(Boolean).join("/")}${line ? `:${line}` : ""}`;
};

/** A new number whenever `poke` is called: what is shown is shown anew. */
function useRedraw() {
  const [, set] = useState(0);
  return useMemo(() => () => set((n) => n + 1), []);
}

function Flow({ api, flowId, place, flows }) {
  const redraw = useRedraw();
  const [flow, setFlow] = useState(null);
  const [problem, setProblem] = useState("");
  const [wave, setWave] = useState(null);
  const [draft, setDraft] = useState(null); // what is drawn, and not applied: {document, version}
  const [Draw, setDraw] = useState(null); // loaded when somebody draws
  const frame = useRef();
  const graph = useRef();
  const now = useRef({});
  const live = useMemo(() => new Live(api, flowId, () => {
    graph.current?.draw(live, now.current);
    redraw();
  }), [api, flowId]);
  const paused = Boolean(live.state?.debug.pausedBy);
  useEffect(() => {
    if (!paused) setWave(null); // whoever has resumed it
  }, [paused]);
  useEffect(() => () => live.end(), [live]);

  const version = live.state?.version;
  useEffect(() => {
    read();
  }, [api, flowId, version]);
  const read = () => {
    api.call("listFlows").then((all) => {
      const found = all.find((one) => one.id === flowId);
      setFlow(found ?? null);
      setProblem(found ? "" : `There is no flow ${flowId} here.`);
    }, (error) => setProblem(error.message));
  };

  const shown = draft?.document ?? flow;
  useEffect(() => {
    if (!flow || !frame.current) return;
    graph.current ??= new Graph(frame.current, (id) => goto(flow.id, id, now.current.tab));
    graph.current.show(shown).then(() => graph.current.draw(live, now.current), (error) => setProblem(error.message));
  }, [shown]);

  const stale = live.state && live.silence() > STALE_S;
  now.current = { at: place.module, tab: place.tab, ran: wave, stale };
  useEffect(() => {
    graph.current?.draw(live, now.current);
    if (place.module) graph.current?.reveal(place.module);
  }, [place.module, wave, stale]);
  useEffect(() => {
    const timer = setInterval(redraw, 1000); // what is stale says so by itself
    return () => clearInterval(timer);
  }, []);

  const module = flow?.modules[place.module] && place.module;
  const close = () => {
    const from = place.module;
    goto(flowId);
    setTimeout(() => graph.current?.reveal(from, true));
  };
  const draw = async () => {
    const [{ Draw: loaded }, { current }] = await Promise.all([import("/draw.js"), import("/saving.js")]);
    setDraw(() => loaded);
    setDraft(await current(api, flowId));
  };
  const zoom = (factor) => () => graph.current?.svg && graph.current.zoomBy(factor);
  return html`<div class=${`view ${module ? "open" : ""} ${stale ? "stale" : ""}`}>
    <${Header} api=${api} live=${live} flow=${flow} flows=${flows} stale=${stale} goto=${goto} setWave=${setWave} problem=${problem || live.refused} />
    <main class=${`graph ${draft ? "drawing" : ""}`} aria-label="graph"><div class="frame" ref=${frame}></div>
      ${flow && html`<div class="zoom"><button onClick=${zoom(1.25)} aria-label="larger">+</button><button onClick=${zoom(0.8)} aria-label="smaller">−</button><button onClick=${() => graph.current?.svg && graph.current.fit()}>Fit</button>${!draft && html`<button onClick=${() => draw().catch((error) => setProblem(error.message))}>Draw</button>`}</div>`}
      ${draft && Draw && html`<${Draw} api=${api} draft=${draft} setDraft=${setDraft} graph=${graph} chosen=${place.module} applied=${read} />`}</main>
    ${module && html`<${Panel} api=${api} flow=${flow} id=${module} tab=${place.tab} line=${place.line} live=${live} wave=${wave} goto=${goto} close=${close} />`}
  </div>`;
}

function Door({ refused, enter }) {
  return html`<main class="home"><h1>runner</h1>
    <p role="status">${refused ? "This token is not accepted." : "`runner open` prints an address that lets you in."}</p>
    <form onSubmit=${(event) => { event.preventDefault(); enter(event.target.token.value.trim()); }}>
      <label>Token <input name="token" type="password" autocomplete="off" required /></label> <button class="main">Enter</button></form></main>`;
}

function App() {
  const place = usePlace();
  const [token, setToken] = useState(atFirst);
  const [link, setLink] = useState("opening");
  const [opened, setOpened] = useState(0);
  const api = useMemo(() => token && new Api(token, (state) => {
    setLink(state);
    if (state === "open") setOpened((n) => n + 1); // what was subscribed is subscribed anew
  }), [token]);
  const [flows, setFlows] = useState([]);
  useEffect(() => {
    if (opened) api.call("listFlows").then((all) => setFlows(all.map((flow) => flow.id)), () => {});
  }, [opened]);
  useEffect(() => {
    document.title = place.flow ? `${place.flow} · runner` : "runner";
  }, [place.flow]);
  const enter = (given) => {
    sessionStorage.setItem("token", given);
    setToken(given);
  };
  if (!token || link === "refused") return html`<${Door} refused=${link === "refused"} enter=${enter} />`;
  if (!opened) return html`<p class="home" role="status">${link === "closed" ? "The runner does not answer; it is asked again." : "connecting…"}</p>`;
  return html`${link === "closed" && html`<p class="lost" role="alert">There is no connection to the runner. What is shown is old; it is asked again.</p>`}
    ${place.flow ? html`<${Flow} key=${`${place.flow} ${opened}`} api=${api} flowId=${place.flow} place=${place} flows=${flows} />` : html`<${Home} key=${opened} api=${api} />`}`;
}

render(html`<${App} />`, document.getElementById("app"));
