module.exports = (message) => "x".repeat(message);
