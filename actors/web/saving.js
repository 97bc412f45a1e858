// What is changed of a flow as a whole: its tests, its layout, its modules and wires; and its file.

import { html, useState } from "/vendor/preact.js";
import { ends, json, wireId } from "/text.js";

const NAME_CHARACTERS = 60;

/** The flow as it runs, and its version. */
export async function current(api, flowId) {
  const versions = await api.call("listVersions", { flowId });
  const flow = (await api.call("listFlows")).find((one) => one.id === flowId);
  const { state: _, ...document } = flow;
  return { document, version: versions.find((one) => one.current).version };
}

/** Brings what has changed into the flow's file; where there is none it is downloaded. Returns what was done, in words. */
export async function save(api, flowId) {
  const { file, written, text } = await api.call("saveFlow", { flowId });
  if (file) return written.length ? `written: ${written.map((path) => path.split("/").pop()).join(", ")}` : `${file.split("/").pop()} says so already`;
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(new Blob([text], { type: "text/yaml" })), download: `${flowId}.yaml` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  return `downloaded: ${flowId}.yaml (the runner has not read it from a file)`;
}

/** What a module makes of messages when its context is empty, as tests begin: `{expect, dead}`, or undefined if it is not tried. */
async function made(api, flow, id, messages, side, module) {
  const found = await api.call("shadowModule", { flowModuleId: `${flow.id}/${id}`, module, given: messages }).catch(() => undefined);
  return found && outcome(flow, id, found.results.map((row) => ({ outputs: row[side], error: row[side === "before" ? "errorBefore" : "error"], message: row.message })));
}

function outcome(flow, id, all) {
  const expect = {};
  const dead = [];
  const takesErrors = flow.wires.map(wireId).map(ends).some((wire) => wire.from === id && wire.fromPort === "error");
  for (const { outputs, error, message } of all) {
    for (const [port, some] of Object.entries(outputs)) (expect[`${id}.${port}`] ??= []).push(...some);
    if (error && takesErrors) (expect[`${id}.error`] ??= []).push({ $partial: { message } });
    else if (error) dead.push({ type: error.type, text: error.message });
  }
  return { expect, dead };
}

/** Adds a test to the flow and its file. `sent`: module -> `[{port, message}]`; `seen(id)`: what to expect of a module that
 *  cannot be tried; `side`, `module`: of another text of it. Returns what was done, in words; null if nothing. */
async function keepAsTest(api, flow, sent, { seen = () => undefined, side = "before", module = {} } = {}) {
  const [[first, [{ message }]]] = Object.entries(sent);
  const suggested = `${first}: ${json(message)}`.slice(0, NAME_CHARACTERS);
  const asked = prompt("The name of the test", suggested);
  if (asked === null) return null;
  const { document, version } = await current(api, flow.id);
  const tests = document.tests ?? [];
  const named = asked.trim() || suggested;
  let name = named;
  for (let n = 2; tests.some((one) => one.name === name); n++) name = `${named} (${n})`;
  const test = { name, send: {}, expect: {} };
  for (const [id, messages] of Object.entries(sent)) {
    for (const one of messages) (test.send[`${id}.${one.port}`] ??= []).push(one.message);
    const { expect, dead } = (await made(api, document, id, messages, side, module)) ?? seen(id) ?? { expect: {}, dead: [] };
    Object.assign(test.expect, expect);
    if (dead.length) test.dead = { ...test.dead, [id]: dead };
    else if (!Object.keys(expect).length) test.expect[`${id}.out`] = [];
  }
  await api.call("addOrUpdateFlow", { flow: { ...document, tests: [...tests, test] }, expectedVersion: version });
  return `test \u201c${name}\u201d: ${await save(api, flow.id)}`;
}

/** A button that does it, and says what it has done; `tell`: somebody else does, who stays longer. */
export function KeepAsTest({ api, flow, sent, more, tell, label = "Keep as a test" }) {
  const [said, show] = useState(null);
  const say = tell ?? show;
  const keep = () => keepAsTest(api, flow, sent, more).then((text) => say(text && { ok: true, text }), (error) => say({ text: error.message }));
  return html`<button onClick=${keep}>${label}</button>${said && html` <span role="status" class=${said.ok ? "ok" : "err"}>${said.text}</span>`}`;
}
