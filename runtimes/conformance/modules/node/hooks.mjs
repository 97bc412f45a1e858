function note(context, event) {
  context.set("events", [...context.get("events", []), event]);
  context.send("out", event);
  if (context.config === event) throw new Error(`${event} fails`);
}

export const start = (context) => note(context, "start");
export const stop = (context) => note(context, "stop");
export const migrate = (context, fromVersion) => note(context, `migrate ${fromVersion}`);
export default (message, context) => context.get("events", []);
