module.exports = (message) => message === null;
