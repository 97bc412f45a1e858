// A module's figures, now and over the last minutes, with what happened to the flow on the time axis.

import { html, useState } from "/vendor/preact.js";
import { clock, condition, count, ms, short } from "/text.js";

const CHARTS = [
  { title: "messages a second", names: ["inPerS", "outPerS"], labels: ["in", "out"] },
  { title: "waiting", names: ["queued"], labels: ["waiting"] },
  { title: "errors a second", names: ["errors"], labels: ["errors"], differs: true },
];

export function eventText(event) {
  if (event.kind === "updated") {
    const touched = Object.entries(event.receipt?.modules ?? {}).map(([id, row]) => `${id} ${row.did}`);
    return `version ${event.version}${touched.length ? `: ${touched.join(", ")}` : ""}`;
  }
  if (event.kind === "paused") return `paused by ${event.by}`;
  if (event.kind === "resumed") return "goes on";
  if (event.kind === "state") return `${event.state}${event.errors?.length ? `: ${event.errors[0]}` : ""}`;
  if (event.kind === "deadLetters") return count(event.count, "dead letter");
  if (event.kind === "hostStarted") return `host ${event.host} started again (${event.modules.join(", ")})`;
  return event.kind;
}

/** The last picture's figures; those that rise are shown as a rate. */
function series(live, id, { names, differs }) {
  const times = live.pictures.map((picture) => picture.time);
  const lines = names.map((name) => live.pictures.map((picture, at) => {
    const value = live.kept(picture, id, name);
    if (!differs) return Number.isNaN(value) ? null : value;
    const before = at ? live.kept(live.pictures[at - 1], id, name) : NaN;
    return Number.isNaN(before) || Number.isNaN(value) ? null : Math.max(0, value - before) / (times[at] - times[at - 1]);
  }));
  return [times, ...lines];
}

const WIDE = 600;
const HIGH = 100;
const GRAVE = new Set(["deadLetters", "hostStarted"]);

/** A line over time in an SVG of its own; under the pointer the caption says what was then. */
function Chart({ live, id, what }) {
  const [then, point] = useState(null);
  const [times, ...lines] = series(live, id, what);
  const [from, to] = [times[0], Math.max(times.at(-1), times[0] + 10)];
  const most = Math.max(1, ...lines.flat().filter((value) => value != null));
  const x = (time) => (((time - from) / (to - from)) * WIDE).toFixed(1);
  const path = (line) => line.map((value, at) => (value == null ? "" : `${at && line[at - 1] != null ? "L" : "M"}${x(times[at])},${(HIGH - (value / most) * (HIGH - 4)).toFixed(1)}`)).join("");
  const pointed = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const time = from + ((event.clientX - box.left) / box.width) * (to - from);
    const at = times.findIndex((one) => one >= time);
    point(at < 0 ? null : times[at]);
  };
  const at = then === null ? times.length - 1 : times.indexOf(then);
  const says = lines.map((line, n) => `${what.labels[n]} ${short(line[at])}`).join(", ");
  return html`<figure><figcaption>${what.title}: ${says} at ${clock(times[at])}<span class="most">${short(most)}</span></figcaption>
    <svg viewBox=${`0 0 ${WIDE} ${HIGH}`} preserveAspectRatio="none" role="img" aria-label=${`${what.title} since ${clock(from)}, at most ${short(most)}; now ${says}`} onPointerMove=${pointed} onPointerLeave=${() => point(null)}>
      ${live.events.filter((event) => event.time >= from).map((event) => html`<line class=${GRAVE.has(event.kind) ? "grave" : event.kind} x1=${x(event.time)} x2=${x(event.time)} y1="0" y2=${HIGH}><title>${clock(event.time)} ${eventText(event)}</title></line>`)}
      ${lines.map((line, n) => html`<path class=${what.differs ? "bad" : `line${n}`} d=${path(line)} />`)}
    </svg><p class="axis"><span>${clock(from)}</span><span>${clock(to)}</span></p></figure>`;
}

export function Figures({ live, id }) {
  const its = live.state?.modules[id];
  if (!its) return html`<div class="body"><p class="dim">The runner has said nothing of it yet.</p></div>`;
  const host = live.state.hosts?.[its.host];
  const rows = [
    ["state", condition(its) || (its.link === "open" ? "works" : its.link)],
    its.heldBy?.length && ["held back by", its.heldBy.join(", ")],
    ["in, out", `${short(its.inPerS)}/s, ${short(its.outPerS)}/s`],
    ["latency p50, p99", its.latencyMs?.p50 == null ? "not measured (fused, or nothing came)" : `${ms(its.latencyMs.p50)}, ${ms(its.latencyMs.p99)}`],
    ["waiting, of it in flight", `${short(its.queued)}, ${short(its.inFlight)}`],
    ["done, sent", `${its.completed?.toLocaleString()}, ${its.sent?.toLocaleString()}`],
    ["errors, dead letters", `${its.errors}, ${its.deadLettered}`],
    ["dropped", String(its.dropped)],
    its.unwired > 0 && ["to ports without a wire", its.unwired.toLocaleString()],
    ["busy", `${(100 * (its.busyPerS ?? 0)).toFixed(1)} % of the time`],
    ["context", `${its.contextBytes?.toLocaleString()} bytes`],
    ["version", its.version],
    host && ["host", `${its.host}, process ${host.pid}, ${(100 * (host.cpuPerS ?? 0)).toFixed(0)} % cpu, ${host.memoryMb} MB, started ${count(host.starts, "time")}`],
    its.runner && ["runner", its.runner],
  ].filter(Boolean);
  return html`<div class="body">
    <table class="facts"><tbody>${rows.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`)}</tbody></table>
    ${live.pictures.length > 1 && CHARTS.map((what) => html`<${Chart} key=${what.title} live=${live} id=${id} what=${what} />`)}
    <${Events} live=${live} />
  </div>`;
}

export function Events({ live }) {
  return html`<h3>What happened</h3>
    ${live.events.length ? html`<ol class="events">${[...live.events].reverse().slice(0, 30).map((event) => html`<li><time>${clock(event.time)}</time> ${eventText(event)}</li>`)}</ol>` : html`<p class="dim">Nothing since this page looks on.</p>`}`;
}
