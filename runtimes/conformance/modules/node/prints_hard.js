const { Worker } = require("node:worker_threads");

module.exports = async (message) => {
  process.stdout.write(Buffer.from([0x63, 0x61, 0x66, 0xe9, 0xff, 0x0a]));
  console.log("x".repeat(3_000_000));
  process.stdout.write("y".repeat(3_000_000));
  console.log("a lone \ud800");
  const thread = new Worker("for (let n = 0; n < 100; n++) console.log(`from a thread ${n}`)", { eval: true });
  for (let n = 0; n < 100; n++) console.error(`beside it ${n}`);
  await new Promise((done) => thread.on("exit", done));
  console.table([{ a: 1 }]);
  console.dir({ b: 2 });
  const { write } = process.stdout;
  process.stdout.write = () => true;
  console.warn("nobody needs to see this");
  process.stdout.write = write;
  process.stdout.write("z", "utf8", () => console.debug("written"));
  await null;
  await new Promise(setImmediate);
  console.log("the last");
  return message;
};
