// Where modules and wires stand. It runs in a worker: that takes its time.

import { Graph, layout } from "/vendor/dagre.js";
import { curve, link } from "/curves.js";
import { layered } from "/layers.js";

const FOR_DAGRE = 60; // modules; it takes half a second for 300, and five for 1,000
const MANY = 400; // it is only looked for the better way if there are fewer
const MARGIN = 16;

/** `box`: the size of a module; `direction`: "LR" or "TB". All in pixels: `{width, height, nodes: {id: {x, y}}, paths: [text]}`. */
function place({ modules, wires, box }, direction) {
  if (modules.length > FOR_DAGRE) return quickly({ modules, wires, box }, direction === "LR");
  const graph = new Graph({ multigraph: true });
  const across = direction === "LR";
  graph.setGraph({ rankdir: direction, nodesep: across ? 16 : 22, ranksep: across ? 48 : 38, edgesep: 10, marginx: MARGIN, marginy: MARGIN });
  for (const id of modules) graph.setNode(id, { ...box });
  wires.forEach(({ from, to }, at) => graph.setEdge(from, to, {}, String(at)));
  layout(graph);
  const { width, height } = graph.graph();
  const nodes = Object.fromEntries(modules.map((id) => [id, graph.node(id)]).map(([id, { x, y }]) => [id, { x, y }]));
  const paths = wires.map(({ from, to }, at) => curve(graph.edge(from, to, String(at)).points));
  return { width: width || 1, height: height || 1, nodes, paths };
}

/** The same in layers of our own; `right`: they run from left to right. */
function quickly({ modules, wires, box }, right) {
  const index = new Map(modules.map((id, at) => [id, at]));
  const edges = wires.map(({ from, to }) => ({ from: index.get(from), to: index.get(to) }));
  const [across, along] = right ? [box.height, box.width] : [box.width, box.height];
  const found = layered(modules.length, edges, { across, along, gaps: right ? { across: 16, along: 56 } : { across: 22, along: 44 } });
  const turn = ({ x, y }) => (right ? { x: y, y: x } : { x, y });
  const least = Math.min(...found.x);
  const at = (one) => ({ x: one.x - least + across / 2 + MARGIN, y: one.y + along / 2 + MARGIN });
  const placed = found.x.map((x, one) => at({ x, y: found.y[one] }));
  const half = along / 2;
  const paths = edges.map(({ from, to }, wire) => {
    const [a, b] = [placed[from], placed[to]];
    const back = b.y <= a.y ? -1 : 1;
    return curve([{ x: a.x, y: a.y + half * back }, ...found.points[wire].map(at), { x: b.x, y: b.y - half * back }].map(turn));
  });
  const size = { x: Math.max(...placed.map(({ x }) => x)) + across / 2 + MARGIN, y: Math.max(...placed.map(({ y }) => y)) + half + MARGIN };
  const { x: width, y: height } = turn(size);
  return { width, height, nodes: Object.fromEntries(modules.map((id, one) => [id, turn(placed[one])])), paths };
}

/** Where somebody has put them. What has come since stands behind what feeds it, or in front of what it feeds. */
function byHand({ modules, wires, box, kept }) {
  const nodes = Object.fromEntries(modules.filter((id) => kept[id]).map((id) => [id, { x: kept[id][0], y: kept[id][1] }]));
  const step = { x: box.width + 48, y: box.height + 24 };
  for (const id of modules.filter((one) => !kept[one])) {
    const feeder = wires.find((wire) => wire.to === id && nodes[wire.from])?.from;
    const fed = wires.find((wire) => wire.from === id && nodes[wire.to])?.to;
    const [start, way] = feeder ? [nodes[feeder], 1] : fed ? [nodes[fed], -1] : [{ x: 0, y: Math.max(...Object.values(nodes).map(({ y }) => y)) + step.y }, 0];
    const place = { x: start.x + way * step.x, y: start.y };
    while (Object.values(nodes).some(({ x, y }) => Math.abs(x - place.x) < step.x && Math.abs(y - place.y) < step.y)) place.y += step.y;
    nodes[id] = place;
  }
  const all = Object.values(nodes);
  const least = { x: Math.min(...all.map(({ x }) => x)) - box.width / 2 - MARGIN, y: Math.min(...all.map(({ y }) => y)) - box.height / 2 - MARGIN };
  for (const node of all) Object.assign(node, { x: node.x - least.x, y: node.y - least.y });
  const [width, height] = [Math.max(...all.map(({ x }) => x)) + box.width / 2 + MARGIN, Math.max(...all.map(({ y }) => y)) + box.height / 2 + MARGIN];
  return { width, height, nodes, paths: wires.map(({ from, to }) => link(nodes[from], nodes[to], box)) };
}

/** Both ways, and the one that can be shown larger in the room. */
function best(asked) {
  if (asked.modules.some((id) => asked.kept[id])) return byHand(asked);
  const zoom = (placed) => Math.min(1, asked.room.width / placed.width, asked.room.height / placed.height);
  const across = place(asked, "LR");
  if (zoom(across) === 1 || asked.modules.length > MANY) return across;
  const down = place(asked, "TB");
  return zoom(down) > zoom(across) ? down : across;
}

if (typeof WorkerGlobalScope !== "undefined") self.onmessage = ({ data }) => self.postMessage(best(data));
