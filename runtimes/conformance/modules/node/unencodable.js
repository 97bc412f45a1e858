const values = {
  nan: NaN,
  infinity: Infinity,
  "minus infinity": -Infinity,
  nested: { a: [1, NaN] },
  surrogate: "a\ud800b",
  "surrogate key": { "\udc00": 1 },
  date: { at: new Date(0) },
  function: { f: () => 1 },
};

module.exports = (message) => values[message];
