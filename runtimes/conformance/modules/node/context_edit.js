module.exports = (message, context) => {
  for (const [key, value] of Object.entries(message.set ?? {})) context.set(key, value);
  for (const key of message.delete ?? []) context.delete(key);
  if (message.fail) throw new Error("fails after its changes");
  const keys = [...context.keys()].sort();
  return { keys, values: keys.map((key) => context.get(key)), missing: context.get("missing", "default") };
};
