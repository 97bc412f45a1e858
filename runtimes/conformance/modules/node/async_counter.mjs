import { setTimeout as sleep } from "node:timers/promises";

export default async (message, context) => {
  const n = context.get("n", 0) + 1;
  await sleep(1);
  context.set("n", n);
  return n;
};
