exports.other = (message) => message;
