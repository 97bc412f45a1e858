// Hands on texts; a list of bytes it writes into every named pipe it finds: those of node itself hold pointers.
const fs = require("fs");

module.exports = (message) => {
  if (typeof message === "string") return message;
  for (let fd = 3; fd < 64; fd++) {
    try {
      const isOurs = fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith("/");
      if (isOurs && fs.fstatSync(fd).isFIFO()) fs.writeSync(fd, Buffer.from(message));
    } catch {}
  }
  return "written";
};
