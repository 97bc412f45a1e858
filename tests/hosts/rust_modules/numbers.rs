use flow::prelude::*;

#[derive(Deserialize, Serialize)]
#[serde(default)]
#[derive(Default)]
pub struct Numbers {
    i: Option<i64>,
    u: Option<u8>,
    d: Option<f64>,
    s: Option<f32>,
    list: Vec<f64>,
}

pub fn run(numbers: Numbers, context: &mut Context) -> Result<Option<Numbers>> {
    if let Some(i) = numbers.i {
        context.set("i", i)?;
        context.get::<f64>("i")?; // GET
    }
    Ok(Some(numbers))
}
