module.exports = (message, context) => {
  context.set("kept", message);
  message.list.push("after set");
  context.get("kept").list.push("after get");
  return context.get("kept");
};
