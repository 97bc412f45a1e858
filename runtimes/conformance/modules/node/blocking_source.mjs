import { setTimeout } from "node:timers/promises";

export async function* start(context) {
  let i = 0;
  while (true) {
    await setTimeout(context.config.ms);
    i += 1;
    yield i;
  }
}
