const fs = require("node:fs");
const path = require("node:path");

const text = (name) => fs.readFileSync(path.join(__dirname, name), "utf8");
const table = text("table.json");

module.exports = () => [table, text("deep/down/words.txt")];
