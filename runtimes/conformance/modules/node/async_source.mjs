export async function* start(context) {
  let i = context.get("i", 0);
  while (i < context.config.n) {
    await null;
    i += 1;
    context.set("i", i);
    yield i;
  }
}
