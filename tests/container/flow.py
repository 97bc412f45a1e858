"""The flow of these tests: a line of one module per runtime, and at its end one that is slow and keeps count."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

# Each adds one to "n" and its name to "by".
ADD = {
    "python3": "def run(m, c):\n    m['n'] += 1\n    m['by'].append('python3')\n    return m\n",
    "node": "(m, c) => ({n: m.n + 1, by: [...m.by, 'node']})",
    "ruby": "def run(m, c) = { n: m['n'] + 1, by: [*m['by'], 'ruby'] }\n",
    "php": "<?php function run($m, $c) { return ['n' => $m->n + 1, 'by' => [...$m->by, 'php']]; }",
    "sbcl": """
(lambda (m c)
  (declare (ignore c))
  (incf (gethash "n" m))
  (setf (gethash "by" m) (concatenate 'vector (gethash "by" m) #("sbcl")))
  m)
""",
    "go": """
package module

import "flow"

type Step struct {
	N  int64    `json:"n"`
	By []string `json:"by"`
}

func Run(c *flow.Context, m Step) (*Step, error) {
	return &Step{m.N + 1, append(m.By, "go")}, nil
}
""",
    "rust": """
use flow::prelude::*;

pub fn run(mut m: Value, _: &mut Context) -> Result<Option<Value>> {
    m["n"] = (m["n"].as_i64().unwrap() + 1).into();
    m["by"].as_array_mut().unwrap().push("rust".into());
    Ok(Some(m))
}
""",
}
# The message "report" gives what it has counted; `sum` shows a message lost as well as one taken twice.
COUNT = """
import time

def run(m, c):
    if m == "report":
        return {"count": c.get("count", 0), "sum": c.get("sum", 0), "in_order": c.get("in_order", True)}
    time.sleep(c.config["delay_s"])
    c.set("in_order", c.get("in_order", True) and m["n"] > c.get("last", -1))
    c.set("last", m["n"])
    c.set("count", c.get("count", 0) + 1)
    c.set("sum", c.get("sum", 0) + m["n"])
"""


def line(runtimes: list[str], delay_s: float) -> dict[str, Any]:
    """The flow `line`; its first module is called `first`, its last `count`."""
    names = {runtimes[0]: "first"}
    adders = {names.get(runtime, runtime): {"runtime": runtime, "code": ADD[runtime]} for runtime in runtimes}
    count = {"runtime": "python3", "code": COUNT, "config": {"delay_s": delay_s}, "isolated": True}
    order = [*adders, "count"]
    wires = [f"{source} -> {target}" for source, target in pairwise(order)]
    return {"id": "line", "modules": {**adders, "count": count}, "wires": wires, "drain_timeout_s": 20}
