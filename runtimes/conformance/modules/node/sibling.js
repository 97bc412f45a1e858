const helper = require("./helper.js");

module.exports = (message) => [message, helper.name];
