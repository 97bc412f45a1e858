// Says when the processor's load begins to rise or to fall; most readings make no message.
export default (reading, context) => {
  const before = context.get("before");
  context.set("before", reading.cpu_percent);
  if (before === undefined) return undefined;

  const change = reading.cpu_percent - before;
  if (Math.abs(change) < context.config.steady_percent) return undefined;
  const cpu = change > 0 ? "rising" : "falling";
  if (cpu === context.get("cpu")) return undefined;
  context.set("cpu", cpu);
  return { n: reading.n, cpu, from: before, to: reading.cpu_percent };
};
