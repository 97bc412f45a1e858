const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export default async (message, context) => {
  await sleep(message.ms);
  if (message.bad) throw new Error("no bad messages");
  context.send("out", context.messageId);
  return message.ms;
};
