module.exports = (message) => message;

function broken(1) { // HERE
  return 1;
}
