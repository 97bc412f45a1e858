// How figures, states and messages are written. Knows nothing of the page.

const COLOURS = { python3: "#3572a5", node: "#4b9e47", browser: "#b7791f", sbcl: "#8b5cf6", go: "#0e94a5", rust: "#c2571a", ruby: "#b91c3c", php: "#6570b3" };

export const colour = (runtime) => COLOURS[runtime] ?? "#7a8599";

/** A number in at most five characters: 0.4, 12, 370, 5.9k, 12k, 1.2M. */
export function short(n) {
  if (n == null || Number.isNaN(n)) return "–";
  if (n >= 1e6) return `${(n / 1e6).toFixed(1)}M`;
  if (n >= 1e4) return `${(n / 1e3).toFixed(0)}k`;
  if (n >= 1e3) return `${(n / 1e3).toFixed(1)}k`;
  return n >= 10 || Number.isInteger(n) ? n.toFixed(0) : n.toFixed(1);
}

export const COMMANDS = /; `runner [^`]*`.*$/; // of a sentence: what can be done in a terminal; here there are buttons

export const count = (n, one, many = `${one}s`) => `${short(n)} ${n === 1 ? one : many}`;
export const ms = (n) => (n == null ? "–" : `${n >= 100 ? n.toFixed(0) : n.toFixed(2)} ms`);
export const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString();
export const json = (value) => JSON.stringify(value);
export const pretty = (value) => JSON.stringify(value, null, 2);

/** What a module is doing, in a word or two; "" if it simply works. `figures` may be undefined: not known yet. */
export function condition(figures) {
  if (!figures) return "";
  if (figures.away) return "away";
  if (figures.source?.state === "failed") return "failed";
  if (figures.stops?.includes("debug")) return "paused";
  if (figures.stops?.includes("retry")) return "retrying";
  if (figures.heldBy?.length) return "held back";
  if (figures.source?.state === "finished") return "finished";
  return "";
}

/** The parts of a wire's id: `a.out->b.in`. */
export function ends(wire) {
  const [from, to] = wire.split("->");
  const [a, b] = [from.lastIndexOf("."), to.lastIndexOf(".")];
  return { from: from.slice(0, a), fromPort: from.slice(a + 1), to: to.slice(0, b), toPort: to.slice(b + 1) };
}

/** The id of a wire of a flow's document: a text, or `{from, to}`; ports may be left out. */
export function wireId(wire) {
  const [from, to] = typeof wire === "string" ? wire.split("->").map((end) => end.trim()) : [wire.from, wire.to];
  return `${from.includes(".") ? from : `${from}.out`}->${to.includes(".") ? to : `${to}.in`}`;
}
