// A layered picture of a graph, fast: a thousand modules in some milliseconds. For small graphs dagre is nicer, and slow.

const SWEEPS = 8;
const MOST_BENDS = 20_000; // of all wires together; then they run straight

/** Wires that would close a circle are turned round: `[{from, to}]` by index, without circles. */
function withoutCircles(count, edges) {
  const out = Array.from({ length: count }, () => []);
  edges.forEach(({ from, to }, at) => from !== to && out[from].push([to, at]));
  const state = new Uint8Array(count); // 1: on the way, 2: done
  const turned = new Set();
  for (let start = 0; start < count; start++) {
    if (state[start]) continue;
    const stack = [[start, 0]];
    state[start] = 1;
    while (stack.length) {
      const top = stack.at(-1);
      const next = out[top[0]][top[1]++];
      if (!next) {
        state[top[0]] = 2;
        stack.pop();
      } else if (state[next[0]] === 1) turned.add(next[1]);
      else if (!state[next[0]]) {
        state[next[0]] = 1;
        stack.push([next[0], 0]);
      }
    }
  }
  return edges.map(({ from, to }, at) => (turned.has(at) ? { from: to, to: from, turned: true } : { from, to }));
}

/** The layer of each: behind all that feed it, and not further away from what it feeds than need be. */
function ranked(count, edges) {
  const into = new Int32Array(count);
  const out = Array.from({ length: count }, () => []);
  for (const { from, to } of edges) {
    if (from === to) continue;
    out[from].push(to);
    into[to]++;
  }
  const rank = new Int32Array(count);
  const order = [];
  const free = [...into.keys()].filter((one) => !into[one]);
  while (free.length) {
    const one = free.pop();
    order.push(one);
    for (const next of out[one]) {
      rank[next] = Math.max(rank[next], rank[one] + 1);
      if (!--into[next]) free.push(next);
    }
  }
  const fed = new Uint8Array(count);
  for (const { from, to } of edges) if (from !== to) fed[to] = 1;
  for (const one of order.reverse()) if (!fed[one] && out[one].length) rank[one] = Math.min(...out[one].map((next) => rank[next])) - 1;
  return rank;
}

const middle = (list, of) => list.reduce((sum, one) => sum + of[one], 0) / list.length;

/** Places things of `size` in a row, in their order, as near to where they want to be as they can. */
function spread(row, wanted, size, gap, x) {
  let last = -Infinity;
  const pushed = row.map((one) => (last = Math.max(wanted[one], last + gap + size[one] / 2) + size[one] / 2) - size[one] / 2);
  let next = Infinity;
  for (let at = row.length - 1; at >= 0; at--) { // and half of the way back
    const one = row[at];
    x[one] = Math.min((pushed[at] + Math.max(wanted[one], pushed[at] - gap * row.length)) / 2, next - size[one] / 2);
    next = x[one] - size[one] / 2 - gap;
  }
}

/** `modules`: how many; `edges`: `[{from, to}]`. Returns `{x, y, points}`: where each is across and along the layers, and the
 *  bends of each edge. `across`, `along`: the sizes of a module; `gaps`: between two, between layers. */
export function layered(modules, edges, { across, along, gaps }) {
  const forward = withoutCircles(modules, edges);
  const rank = [...ranked(modules, forward)];
  const size = Array(modules).fill(across);
  const up = Array.from({ length: modules }, () => []);
  const down = Array.from({ length: modules }, () => []);
  const join = (from, to) => {
    down[from].push(to);
    up[to].push(from);
  };
  const bends = forward.reduce((sum, { from, to }) => sum + Math.max(0, Math.abs(rank[to] - rank[from]) - 1), 0);
  const ways = forward.map(({ from, to }) => {
    if (from === to || bends > MOST_BENDS) return [];
    const way = [];
    let before = from;
    for (let at = rank[from] + 1; at < rank[to]; at++) {
      const bend = rank.push(at) - 1;
      size.push(0);
      up.push([]);
      down.push([]);
      join(before, bend);
      way.push(before = bend);
    }
    join(before, to);
    return way;
  });
  const rows = Array.from({ length: Math.max(0, ...rank) + 1 }, () => []);
  const seen = new Uint8Array(rank.length);
  const visit = (start) => {
    const stack = [start];
    while (stack.length) {
      const one = stack.pop();
      if (seen[one]) continue;
      seen[one] = 1;
      rows[rank[one]].push(one);
      stack.push(...down[one].toReversed());
    }
  };
  for (let one = 0; one < modules; one++) if (!up[one].length) visit(one);
  for (let one = 0; one < rank.length; one++) visit(one);

  const place = [];
  const number = () => rows.forEach((row) => row.forEach((one, at) => { place[one] = at; }));
  number();
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const near = sweep % 2 ? down : up;
    for (const row of sweep % 2 ? rows.toReversed() : rows) {
      const wish = new Map(row.map((one) => [one, near[one].length ? middle(near[one], place) : place[one]]));
      row.sort((a, b) => wish.get(a) - wish.get(b) || place[a] - place[b]);
      row.forEach((one, at) => { place[one] = at; });
    }
  }
  const x = Array(rank.length).fill(0);
  rows.forEach((row) => row.forEach((one, at) => { x[one] = (at - row.length / 2) * (across + gaps.across); }));
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const near = sweep % 2 ? down : up;
    for (const row of sweep % 2 ? rows.toReversed() : rows) {
      const wish = [];
      for (const one of row) wish[one] = near[one].length ? middle(near[one], x) : x[one];
      spread(row, wish, size, gaps.across, x);
    }
  }
  const y = rank.map((at) => at * (along + gaps.along));
  const points = ways.map((way, at) => (forward[at].turned ? way.toReversed() : way).map((one) => ({ x: x[one], y: y[one] })));
  return { x: x.slice(0, modules), y: y.slice(0, modules), points };
}
