// The licences of all that was installed, each text once: Markdown on standard output.
import { readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";

const NOT_SHIPPED = /(^|\/)@?esbuild(\/|$)/; // it only bundles
const byText = new Map();
const lock = JSON.parse(readFileSync("package-lock.json"));
for (const place of Object.keys(lock.packages).filter((name) => name && !NOT_SHIPPED.test(name))) {
  const { name, version, license } = JSON.parse(readFileSync(`${place}/package.json`));
  const file = readdirSync(place).find((one) => /^licen[cs]e/i.test(one));
  if (!file) throw new Error(`${dirname(place)}: ${name} has no licence file`);
  const text = readFileSync(`${place}/${file}`, "utf8").trim();
  byText.set(text, [...(byText.get(text) ?? []), `${name} ${version} (${license})`]);
}
console.log("# Licences of the bundled libraries\n\nWritten by `scripts/vendor`.");
for (const [text, names] of byText) console.log(`\n## ${names.join(", ")}\n\n\`\`\`text\n${text}\n\`\`\``);
