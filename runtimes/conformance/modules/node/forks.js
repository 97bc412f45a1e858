const { spawnSync } = require("node:child_process");

// Node cannot fork in the middle: a child begins with the program, and here with that of the host.
module.exports = (message, context) => {
  const { status } = spawnSync(process.execPath, process.argv.slice(1));
  if (status === 0) throw new Error("the child took the link for its own");
  context.log("info", "logged");
  context.set("n", context.get("n", 0) + 1);
  return message;
};
