//! Where what a module sends goes: a channel of the pipe, modules fused behind, or both.

use std::sync::Arc;

use serde_json::Value;

/// An out-port that has wires.
pub struct OutPort {
    pub name: String,
    pub channel: Option<u16>, // None when all wires are fused
    pub ids: bool,
    pub fused: Vec<(u16, Arc<str>)>, // slot and in-port
}

/// All out-ports of a slot.
#[derive(Default)]
pub struct Wires {
    pub ports: Vec<OutPort>,
    out: Option<usize>,
}

impl Wires {
    /// From the `out` of WIRES.
    pub fn from_json(out: &Value) -> Self {
        let ports: Vec<OutPort> =
            out.as_object().into_iter().flatten().map(|(name, port)| out_port(name, port)).collect();
        let out = ports.iter().position(|port| port.name == "out");
        Self { ports, out }
    }

    pub fn find(&self, name: &str) -> Option<usize> {
        if name == "out" {
            return self.out;
        }
        self.ports.iter().position(|port| port.name == name)
    }

    pub fn out_has_targets(&self) -> bool {
        self.out.map_or(false, |at| !self.ports[at].fused.is_empty())
    }

    pub fn has_targets(&self) -> bool {
        self.ports.iter().any(|port| !port.fused.is_empty())
    }
}

fn out_port(name: &str, port: &Value) -> OutPort {
    let target = |target: &Value| Some((target[0].as_u64()? as u16, target[1].as_str()?.into()));
    OutPort {
        name: name.to_owned(),
        channel: port["channel"].as_u64().map(|channel| channel as u16),
        ids: port["ids"] == true,
        fused: port["fused"].as_array().into_iter().flatten().filter_map(target).collect(),
    }
}
