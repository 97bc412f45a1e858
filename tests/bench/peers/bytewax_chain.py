"""`LENGTH COUNT WARM`: maps in one worker."""

import sys
from types import SimpleNamespace

import bytewax.operators as op
import meter
import orjson
import stage
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, TestingSource, run_main
from source import readings

length, count, warm = map(int, sys.argv[1:])

context = SimpleNamespace(config={"count": count, "warm": warm})


meter.start(context)
flow, found = Dataflow("chain"), []
stream = op.input("source", flow, TestingSource(readings(count), batch_size=64))
for number in range(1, length):
    stream = op.map(f"stage{number}", stream, lambda message: stage.run(message, context))
op.output("end", op.filter_map("meter", stream, lambda message: meter.run(message, context)), TestingSink(found))
run_main(flow)
print(orjson.dumps(found[0]).decode())
