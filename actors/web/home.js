// The flows and the runners of this place.

import { html, useState } from "/vendor/preact.js";
import { later, useAsked } from "/panel.js";
import { clock, COMMANDS, short } from "/text.js";

const Log = later("/log.js", "Log");

export function Home({ api }) {
  const flows = useAsked(api, "listFlows", {}, 2000);
  const runners = useAsked(api, "listRunners", {}, 2000);
  return html`<main class="home">
    <h1>Flows</h1>
    <${Asked} asked=${flows} none="No flow is here: runner apply FLOW.yaml brings one." />
    ${flows.value?.length > 0 && html`<table><thead><tr><th>flow</th><th>state</th><th class="n">modules</th><th></th></tr></thead>
      <tbody>${flows.value.map((flow) => html`<tr key=${flow.id}><td><a href=${`#/${flow.id}`}>${flow.id}</a></td><td>${flow.state}</td><td class="n">${Object.keys(flow.modules).length}</td><td><${Why} api=${api} id=${flow.id} /></td></tr>`)}</tbody></table>`}
    <h2>Runners</h2>
    <${Asked} asked=${runners} none="None." />
    ${runners.value?.length > 0 && html`<div class="wide" tabindex="0" role="group" aria-label="runners"><table><thead><tr><th>runner</th><th>state</th><th>machine</th><th class="n">process</th><th class="n">started</th><th>flows</th><th>links</th></tr></thead>
      <tbody>${runners.value.map((one) => html`<tr key=${one.name}><td>${one.name}</td><td class=${one.state === "up" ? "" : "err"}>${one.state}</td><td>${one.machine}</td><td class="n">${one.pid}</td><td class="n">${one.incarnation} ×</td><td>${one.flows.join(", ")}</td>
        <td>${one.links.map((link) => `${link.peer} ${link.up ? `${short(link.outPerS)}/s` : link.reason ?? "down"}`).join(", ")}</td></tr>`)}</tbody></table></div>`}
    <${Folded} name="Log" body=${() => html`<${Log} api=${api} />`} />
    <${Folded} name="Runtimes and environments" body=${() => html`<${Runtimes} api=${api} />`} />
  </main>`;
}

/** What holds a flow back, or is wrong with it. */
function Why({ api, id }) {
  const { value, error } = useAsked(api, "explain", { flowId: id }, 4000);
  return html`<span class=${error ? "err" : "dim"}>${error ?? value?.[0].replace(COMMANDS, "")}</span>`;
}

/** What is asked for only while it is seen. */
function Folded({ name, body }) {
  const [open, set] = useState(false);
  return html`<details onToggle=${(event) => set(event.currentTarget.open)}><summary>${name}</summary>${open && body()}</details>`;
}

function Asked({ asked, none }) {
  if (asked.error) return html`<p class="err" role="alert">${asked.error}${asked.value && `; this is of ${clock(asked.time)}`}</p>`;
  if (asked.value === undefined) return html`<p class="dim">asking…</p>`;
  return asked.value.length ? null : html`<p>${none}</p>`;
}

function Runtimes({ api }) {
  const runtimes = useAsked(api, "listRuntimes", {}, 60_000);
  return html`<${Asked} asked=${runtimes} none="None." />${(runtimes.value ?? []).map((one) => html`<section key=${one.id + (one.runner ?? "")}><h3>${one.name} ${one.version ?? ""} <span class="dim">${one.id}${one.runner ? ` on ${one.runner}` : ""}</span></h3>
    ${one.available ? html`<${Environments} api=${api} id=${one.id} />` : html`<p class="dim">${one.reason}</p>`}</section>`)}`;
}

function Environments({ api, id }) {
  const all = useAsked(api, "listDependencies", { runtimeId: id }, 10_000);
  if (all.error) return html`<p class="dim">${all.error}</p>`;
  return html`<ul>${(all.value ?? []).map((one) => html`<li key=${one.environmentId}>${one.dependencies.join(", ") || "no dependencies"}: ${one.state}, used by ${(one.usedBy ?? []).join(", ") || "nobody"}</li>`)}</ul>`;
}
