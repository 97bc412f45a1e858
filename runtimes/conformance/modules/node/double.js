module.exports = (message) => message * 2;
