// One flow as it is now, and how it was in the last minutes. Every figure is the runner's; `time` says as of when.

const EVERY_MS = 500;
const KEEP_EVERY_S = 1;
const KEEP = 600;
const EVENTS = 200;
const TOGETHER_S = 30;
export const KEPT = ["inPerS", "outPerS", "queued", "errors", "p99"];

/** RFC 7396, in place where it can be. */
export function merge(target, patch) {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const into = target !== null && typeof target === "object" && !Array.isArray(target) ? target : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete into[name];
    else into[name] = merge(into[name], value);
  }
  return into;
}


export class Live {
  /** `changed()` after every picture. */
  constructor(api, flowId, changed) {
    Object.assign(this, { api, flowId, changed, state: null, time: 0, heard: 0, pictures: [], events: [], ended: false });
    this.off = [api.on("flowFigures", (told) => this.figures(told)), api.on("flowEvent", (told) => this.event(told))];
    this.begin();
  }

  async begin() {
    try {
      this.subscription = await this.api.call("subscribe", { flowId: this.flowId, everyMs: EVERY_MS });
      if (this.ended) this.end();
    } catch (error) {
      if (error.code === undefined || this.ended) return; // no connection: a new Live follows
      this.refused = error.message;
      this.changed();
    }
  }

  figures({ subscriptionId, flowId, whole, state, time }) {
    if (flowId !== this.flowId || (this.subscription && subscriptionId !== this.subscription)) return;
    if (!whole && !this.state) return;
    this.take(whole ? state : merge(this.state, state), time);
  }

  take(state, time) {
    Object.assign(this, { state, time, heard: performance.now(), refused: undefined });
    const last = this.pictures.at(-1);
    if (!last || time - last.time >= KEEP_EVERY_S) this.keep(last);
    this.changed();
  }

  keep(last) {
    const modules = this.state.modules;
    const known = last && last.ids.size === Object.keys(modules).length && Object.keys(modules).every((id) => last.ids.has(id));
    const ids = known ? last.ids : new Map(Object.keys(modules).map((id, at) => [id, at]));
    const values = new Float64Array(ids.size * KEPT.length);
    for (const [id, at] of ids) {
      const one = modules[id];
      values.set([one.inPerS ?? NaN, one.outPerS ?? NaN, one.queued ?? NaN, one.errors ?? NaN, one.latencyMs?.p99 ?? NaN], at * KEPT.length);
    }
    this.pictures.push({ time: this.time, ids, values });
    if (this.pictures.length > KEEP) this.pictures.shift();
  }

  event(told) {
    if (told.flowId !== this.flowId || (this.subscription && told.subscriptionId !== this.subscription)) return;
    const last = this.events.at(-1);
    if (told.kind === "deadLetters" && last?.kind === told.kind && told.time - last.time < TOGETHER_S) last.count += told.count;
    else this.events.push(told);
    if (this.events.length > EVENTS) this.events.shift();
  }

  /** Of a module, in one picture. */
  kept(picture, id, name) {
    const at = picture.ids.get(id);
    return at === undefined ? NaN : picture.values[at * KEPT.length + KEPT.indexOf(name)];
  }

  /** `{errors: Map of module -> how many, seconds}`: in the last minute, or since the page looks on if that is shorter. */
  recent(before = 60) {
    const from = this.pictures.find((picture) => picture.time >= this.time - before);
    const errors = new Map();
    for (const [id, one] of Object.entries(this.state?.modules ?? {})) {
      const then = from ? this.kept(from, id, "errors") : NaN;
      const came = Number.isNaN(then) ? 0 : Math.max(0, one.errors - then);
      if (came) errors.set(id, came);
    }
    return { errors, seconds: from ? Math.round(this.time - from.time) : 0 };
  }

  /** Seconds since the runner has said anything. */
  silence() {
    return this.heard ? (performance.now() - this.heard) / 1000 : 0;
  }

  end() {
    this.ended = true;
    for (const off of this.off) off();
    if (this.subscription) this.api.call("unsubscribe", { subscriptionId: this.subscription }).catch(() => {});
  }
}
