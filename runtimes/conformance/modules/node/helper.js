exports.name = "helper-one";
