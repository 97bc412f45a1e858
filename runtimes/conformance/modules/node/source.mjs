export function* start(context) {
  let i = context.get("i", 0);
  while (i < context.config.n) {
    i += 1;
    context.set("i", i);
    yield i;
  }
  context.set("ended", true);
  if (context.config.fail) throw new Error("the source fails at its end");
}

export function stop(context) {
  context.set("stopped", true);
}
