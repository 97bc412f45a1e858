// The lines of a log, the newest first, as they come: of a module, of a flow, or of all that is here.

import { html, useEffect, useState } from "/vendor/preact.js";
import { clock } from "/text.js";

const ASK_MS = 1000;
const MOST = 200;
const CLASSES = { error: "err", critical: "err", warning: "warn" };

/** `flow`, `id`: of a module; without, all that is here. */
export function Log({ api, flow, id }) {
  const [flowId, moduleId] = [flow?.id, id];
  const [lines, set] = useState([]);
  const [error, fail] = useState("");
  const [known, know] = useState(false);
  useEffect(() => {
    let timer;
    let over = false;
    const read = async (after) => {
      const came = await api.call("readLog", { ...(flowId && { flowId }), ...(moduleId && { moduleId }), ...(after == null ? {} : { after }) });
      if (over) return;
      know(true);
      if (came.lines.length) set((old) => [...came.lines.reverse(), ...old].slice(0, MOST));
      timer = setTimeout(() => read(came.after).catch(failed), ASK_MS);
    };
    const failed = (problem) => over || fail(problem.message);
    set([]);
    read().catch(failed);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [flowId, moduleId]);
  return html`<div class="body">${error && html`<p class="err" role="alert">${error}</p>`}${!lines.length && !error && html`<p class="dim">${known ? "Nothing is in the log." : "asking…"}</p>`}
    <ol class="messages">${lines.map((line) => html`<li><time>${clock(line.time)}</time> <span class=${CLASSES[line.level] ?? "dim"}>${line.level}</span>${line.runner && html` <span class="dim">${line.runner}</span>`}<pre>${line.message}</pre></li>`)}</ol></div>`;
}
