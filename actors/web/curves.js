// Lines between modules.

const at = ({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`;

/** A soft line through the points. */
export function curve(points) {
  const inner = points.slice(1, -1).map((point, n, all) => {
    const next = all[n + 1];
    return next ? `Q${at(point)} ${at({ x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 })}` : `Q${at(point)} ${at(points.at(-1))}`;
  });
  return `M${at(points[0])}${inner.join("") || `L${at(points.at(-1))}`}`;
}

/** From one module to another, wherever they stand: from the side that is nearer. */
export function link(from, to, { width, height }) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const right = Math.abs(dx) - width > Math.abs(dy) - height;
  const way = right ? Math.sign(dx) || 1 : Math.sign(dy) || 1;
  const [a, b] = right ? [{ x: from.x + (way * width) / 2, y: from.y }, { x: to.x - (way * width) / 2, y: to.y }]
    : [{ x: from.x, y: from.y + (way * height) / 2 }, { x: to.x, y: to.y - (way * height) / 2 }];
  const half = right ? { x: (b.x - a.x) / 2, y: 0 } : { x: 0, y: (b.y - a.y) / 2 };
  return `M${at(a)}C${at({ x: a.x + half.x, y: a.y + half.y })} ${at({ x: b.x - half.x, y: b.y - half.y })} ${at(b)}`;
}
