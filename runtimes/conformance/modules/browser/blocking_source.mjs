export async function* start(context) {
  let i = 0;
  while (true) {
    await new Promise((resolve) => setTimeout(resolve, context.config.ms));
    i += 1;
    yield i;
  }
}
