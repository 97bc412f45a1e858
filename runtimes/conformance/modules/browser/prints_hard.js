module.exports = async (message) => {
  console.log("x".repeat(3_000_000));
  console.log("a lone \ud800");
  for (let n = 0; n < 100; n++) console.error(`beside it ${n}`);
  console.table([{ a: 1 }]);
  console.dir({ b: 2 });
  await null;
  await new Promise((done) => setTimeout(done, 0));
  console.log("the last");
  return message;
};
