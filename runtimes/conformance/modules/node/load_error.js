function prepare() {
  throw new Error("cannot load"); // HERE
}

module.exports = (message) => message;

prepare();
