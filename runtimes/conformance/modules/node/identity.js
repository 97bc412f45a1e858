module.exports = (message) => message;
