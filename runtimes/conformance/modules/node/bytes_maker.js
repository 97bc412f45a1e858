module.exports = (message) => {
  if (message === "bytes") return new Uint8Array([0, 1, 255]);
  if (message === "object") return { $bytes: "AAH/" };
  if (message === "escaped") return { $$bytes: "AAH/" };
  return [message.length, message[message.length - 1]];
};
