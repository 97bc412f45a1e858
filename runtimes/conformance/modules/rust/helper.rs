pub const NAME: &str = "helper-one";
