const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let wake;
let awake = new Promise((resolve) => { wake = resolve });

export default (message, context) => {
  if (message.wake) {
    wake();
    return sleep(50).then(() => message);
  }
  context.set("n", context.get("n", 0) + 1);
  return message;
};

export async function* start(context) {
  for (;;) {
    await awake;
    awake = new Promise((resolve) => { wake = resolve });
    if (context.config.ms > 0) await sleep(context.config.ms);
    const taken = context.get("n", 0);
    context.set("n", 0);
    context.log("info", "taken");
    yield { wake: false, ms: taken };
  }
}
