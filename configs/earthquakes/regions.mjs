// Running statistics: one context entry per region, so that a turn changes only its own region's.
export default (quake, context) => {
  const seen = context.get(quake.region, { count: 0, mean: 0, largest: quake.magnitude });
  const count = seen.count + 1;
  const mean = seen.mean + (quake.magnitude - seen.mean) / count;
  const statistics = { count, mean, largest: Math.max(seen.largest, quake.magnitude) };
  context.set(quake.region, statistics);

  if (quake.magnitude >= context.config.large) context.send("large", quake);
  return { ...quake, ...statistics };
};
