module.exports = async function* (message) {
  for (let i = 0; i < 3; i++) {
    await null;
    yield [message, i];
  }
};
