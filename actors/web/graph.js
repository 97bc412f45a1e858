// The picture of a flow. Made once for a flow's modules and wires; figures are written straight into it.

import { link } from "/curves.js";
import { colour, condition, count, ends, short, wireId } from "/text.js";

const WIDTH = 152;
const HEIGHT = 50;
const SVG = "http://www.w3.org/2000/svg";
const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
const ZOOMS = { least: 0.15, most: 2, readable: 0.6 };
const PATIENCE_MS = 20_000;
const DRAGGED = 4; // pixels; less is a click
const BOX = { width: WIDTH, height: HEIGHT };

function make(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Writes an attribute, or the text ("says"), only if it differs: most figures of most pictures are as they were. */
function write(element, name, value) {
  const written = (element.written ??= {});
  if (written[name] === value) return;
  written[name] = value;
  if (name === "says") element.textContent = value;
  else element.setAttribute(name, value);
}

const where = ({ x, y }) => `translate(${x - WIDTH / 2},${y - HEIGHT / 2})`;

/** Where everything stands, found in a worker. */
function placed(modules, wires, room, kept) {
  return new Promise((done, fail) => {
    const worker = new Worker("/placing.js", { type: "module" });
    const over = (finish, value) => {
      clearTimeout(timer);
      worker.terminate();
      finish(value);
    };
    const timer = setTimeout(() => over(fail, new Error("the picture could not be laid out in time")), PATIENCE_MS);
    worker.onmessage = ({ data }) => over(done, data);
    worker.onerror = (event) => over(fail, new Error(event.message || "the picture could not be laid out"));
    worker.postMessage({ modules, wires, room, kept, box: BOX });
  });
}

/** The positions in a flow's `layout`, if that is what is in it: module -> [x, y]. */
export function keptOf(flow) {
  const all = Object.entries(flow.layout ?? {}).filter(([id, at]) => flow.modules[id] && Array.isArray(at) && at.length === 2 && at.every(Number.isFinite));
  return Object.fromEntries(all);
}

export class Graph {
  /** `frame`: the element that scrolls. `open(module)` is called when somebody chooses one. While `hand` is set modules can be
   *  moved, and wired by dragging from their handles: then `hand.moved(positions)`, `hand.wired(from, to)`. */
  constructor(frame, open) {
    Object.assign(this, { hand: null, frame, open, zoom: 1, nodes: new Map(), lines: new Map(), shape: "", focused: "", zoomed: false });
    new ResizeObserver(() => this.plan && !this.zoomed && this.fit()).observe(frame);
  }

  /** Of a flow's document; lays out anew only if modules or wires differ. */
  async show(flow) {
    const modules = Object.keys(flow.modules);
    const wires = flow.wires.map(wireId);
    const kept = keptOf(flow);
    const shape = JSON.stringify([modules, wires, modules.map((id) => flow.modules[id].runtime), kept]);
    if (shape === this.shape) return;
    this.shape = shape;
    const { clientWidth: width, clientHeight: height } = this.frame;
    const plan = await placed(modules, wires.map(ends), { width, height }, kept);
    if (this.shape !== shape) return; // another came meanwhile
    this.build(flow, wires, plan);
  }

  build(flow, wires, plan) {
    this.plan = plan;
    this.nodes.clear();
    this.lines.clear();
    this.svg = make("svg", { viewBox: `0 0 ${plan.width} ${plan.height}`, role: "group", "aria-label": `modules of ${flow.id}; arrow keys move, Enter opens` });
    const below = make("g", { "aria-hidden": "true" });
    const tip = make("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto" });
    tip.append(make("path", { d: "M0,0L8,4L0,8z", class: "tip" }));
    this.svg.append(make("defs", {}, tip), below);
    wires.forEach((id, at) => {
      const line = make("path", { d: plan.paths[at], class: "wire", "marker-end": "url(#tip)" });
      line.append(make("title", {}, id));
      below.append(line);
      this.lines.set(id, { line, ...ends(id) });
    });
    for (const [id, module] of Object.entries(flow.modules)) this.svg.append(this.box(id, module, plan.nodes[id]));
    this.svg.addEventListener("keydown", (event) => this.key(event));
    this.svg.addEventListener("pointerdown", (event) => this.grab(event));
    this.frame.replaceChildren(this.svg);
    this.focusable(this.nodes.has(this.focused) ? this.focused : this.nodes.keys().next().value);
    if (!this.zoomed) this.fit();
    else this.scale(this.zoom);
  }

  box(id, module, { x, y }) {
    const label = id.length > 19 ? `${id.slice(0, 18)}…` : id;
    const parts = {
      name: make("text", { class: "name", x: 14, y: 18 }, label),
      does: make("text", { class: "does", x: 14, y: 34 }, module.runtime),
      rate: make("text", { class: "rate", x: WIDTH - 8, y: 34 }),
      bar: make("rect", { class: "bar", x: 14, y: 41, width: 0, height: 3, rx: 1.5 }),
      badge: make("g", { class: "badge", visibility: "hidden" }, make("rect", { x: WIDTH - 36, y: -8, width: 40, height: 16, rx: 8 })),
      errors: make("text", { x: WIDTH - 16, y: 4 }),
      stop: make("circle", { class: "stop", cx: 0, cy: HEIGHT / 2, r: 6, visibility: "hidden" }),
    };
    parts.badge.append(parts.errors);
    const group = make("g", { class: "node", transform: where({ x, y }), role: "button", tabindex: -1, "data-module": id });
    group.append(make("rect", { class: "card", width: WIDTH, height: HEIGHT, rx: 7 }), make("rect", { x: 4, y: 6, width: 4, height: HEIGHT - 12, rx: 2, fill: colour(module.runtime) }));
    group.append(parts.name, parts.does, parts.rate, make("rect", { class: "groove", x: 14, y: 41, width: WIDTH - 22, height: 3, rx: 1.5 }), parts.bar, parts.badge, parts.stop, make("circle", { class: "handle", cx: WIDTH, cy: HEIGHT / 2, r: 7 }));
    if (label !== id) parts.name.append(make("title", {}, id));
    group.addEventListener("click", () => this.dragged ? (this.dragged = false) : this.open(id));
    group.addEventListener("focus", () => this.focusable(id));
    this.nodes.set(id, { group, ...parts, runtime: module.runtime, x, y });
    return group;
  }

  /** `at`: the selected module; `ran`: those of the last step. */
  draw(live, { at, ran, stale }) {
    if (!this.svg || !live.state) return;
    const { modules, wires, debug } = live.state;
    const { errors, seconds } = live.recent();
    const holding = new Set(Object.values(modules).flatMap((one) => one.heldBy ?? []));
    for (const [id, node] of this.nodes) {
      const its = modules[id];
      const state = condition(its);
      const rate = its && (its.source ? its.outPerS : its.inPerS);
      const bad = errors.get(id) ?? 0;
      write(node.does, "says", state ? `${node.runtime} · ${state}` : node.runtime);
      write(node.rate, "says", rate == null ? "–" : `${short(rate)}/s`);
      write(node.bar, "width", ((WIDTH - 22) * Math.min(1, Math.log10(1 + (its?.queued ?? 0)) / 4)).toFixed(1));
      write(node.errors, "says", bad ? short(bad) : "");
      write(node.badge, "visibility", bad ? "visible" : "hidden");
      write(node.stop, "visibility", debug.breakpoints[id] ? "visible" : "hidden");
      const marks = ["node", id === at && "chosen", (bad || state === "failed") && "bad", ran?.has(id) && "ran", holding.has(id) && "holds", state && "dim"];
      write(node.group, "class", marks.filter(Boolean).join(" "));
      if (id === this.focused) {
        const words = [its?.queued && `${count(its.queued, "message")} waiting`, bad && `${count(bad, "error")} in ${seconds} s`, debug.breakpoints[id] && "breakpoint"];
        write(node.group, "aria-description", words.filter(Boolean).join(", "));
      }
    }
    for (const [id, { line, from, to, fromPort }] of this.lines) {
      const its = wires?.[id];
      const near = from === at || to === at;
      const full = its?.held || (modules[to]?.heldBy ?? []).length > 0 || (its?.waiting ?? 0) > 1000;
      write(line, "class", ["wire", fromPort === "error" && "error", full && "full", near && "near", near && its?.perS > 0 && !debug.pausedBy && !stale && "moves"].filter(Boolean).join(" "));
      write(line, "stroke-width", its?.perS ? (1 + Math.min(3, Math.log10(1 + its.perS))).toFixed(1) : "1.2");
      if (near) write(line.firstChild, "says", its ? `${id}: ${its.perS == null ? "fused, rate of each not known" : `${short(its.perS)} messages a second`}, ${short(its.waiting)} waiting` : id);
    }
  }

  /** As large as the frame has room for, but readable. */
  fit() {
    this.zoomed = false;
    const { clientWidth: width, clientHeight: height } = this.frame;
    const { plan } = this;
    this.scale(Math.max(ZOOMS.readable, Math.min(1.25, width / plan.width, height / plan.height)));
  }

  /** By hand: it stays then. */
  zoomBy(factor) {
    this.zoomed = true;
    this.scale(this.zoom * factor);
  }

  scale(zoom) {
    this.zoom = Math.max(ZOOMS.least, Math.min(ZOOMS.most, zoom));
    this.svg.setAttribute("width", Math.floor(this.plan.width * this.zoom));
    this.svg.setAttribute("height", Math.floor(this.plan.height * this.zoom));
  }

  /** Only one module is on the way of the Tab key; the arrows lead on from there. */
  focusable(id) {
    this.nodes.get(this.focused)?.group.setAttribute("tabindex", -1);
    this.focused = id;
    this.nodes.get(id)?.group.setAttribute("tabindex", 0);
  }

  /** Into sight, and with the keyboard's focus if `focus`. */
  reveal(id, focus = false) {
    const node = this.nodes.get(id);
    if (!node) return;
    this.focusable(id);
    node.group.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (focus) node.group.focus({ preventScroll: true });
  }

  /** Somebody takes a module, or the handle from which a wire is drawn. */
  grab(event) {
    const group = event.target.closest(".node");
    if (!this.hand || !group || event.button) return;
    event.preventDefault();
    const id = group.dataset.module;
    const node = this.nodes.get(id);
    const start = { x: event.clientX, y: event.clientY, of: { x: node.x, y: node.y } };
    const draws = event.target.classList.contains("handle");
    const line = draws && this.svg.appendChild(make("path", { class: "wire near", "pointer-events": "none" }));
    const move = ({ clientX, clientY }) => {
      const [dx, dy] = [(clientX - start.x) / this.zoom, (clientY - start.y) / this.zoom];
      this.dragged ||= Math.hypot(clientX - start.x, clientY - start.y) > DRAGGED;
      if (draws) line.setAttribute("d", `M${start.of.x + WIDTH / 2},${start.of.y}l${dx},${dy}`);
      else if (this.dragged) this.put(id, { x: start.of.x + dx, y: start.of.y + dy });
    };
    const up = ({ clientX, clientY }) => {
      removeEventListener("pointermove", move);
      if (line) line.remove();
      const target = document.elementFromPoint(clientX, clientY)?.closest(".node")?.dataset.module;
      if (draws && target && target !== id) this.hand?.wired(id, target);
      else if (!draws && this.dragged) this.hand?.moved(this.positions());
      setTimeout(() => { this.dragged = false; }); // behind the click that follows
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", up, { once: true });
  }

  /** Where they stand: module -> [x, y]. */
  positions() {
    return Object.fromEntries([...this.nodes].map(([id, { x, y }]) => [id, [Math.round(x), Math.round(y)]]));
  }

  put(id, { x, y }) {
    const node = this.nodes.get(id);
    Object.assign(node, { x, y });
    node.group.setAttribute("transform", where(node));
    for (const { line, from, to } of this.lines.values()) {
      if (from === id || to === id) line.setAttribute("d", link(this.nodes.get(from), this.nodes.get(to), BOX));
    }
  }

  key(event) {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.open(this.focused);
    } else if (ARROWS[event.key]) {
      event.preventDefault();
      const next = this.next(ARROWS[event.key]);
      if (next) this.reveal(next, true);
    }
  }

  /** The nearest module in a direction. */
  next([dx, dy]) {
    const from = this.nodes.get(this.focused);
    let best, least = Infinity;
    for (const [id, { x, y }] of this.nodes) {
      const along = (x - from.x) * dx + (y - from.y) * dy;
      const aside = Math.abs((x - from.x) * dy) + Math.abs((y - from.y) * dx);
      if (along > 1 && along + 2 * aside < least) [best, least] = [id, along + 2 * aside];
    }
    return best;
  }
}
