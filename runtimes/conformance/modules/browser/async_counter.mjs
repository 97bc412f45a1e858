const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export default async (message, context) => {
  const n = context.get("n", 0) + 1;
  await sleep(1);
  context.set("n", n);
  return n;
};
