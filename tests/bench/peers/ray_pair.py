"""`COUNT WARM`: an actor that is called once a message, a thousand calls under way."""

import logging
import sys
from collections import deque
from types import SimpleNamespace

import orjson
import ray
from source import readings

context = SimpleNamespace(config={"count": int(sys.argv[1]), "warm": int(sys.argv[2])})


@ray.remote
class Meter:
    def __init__(self, config: dict) -> None:
        import meter as own

        self.meter, self.config = own, config
        own.start(self)

    def run(self, message: dict) -> dict | None:
        return self.meter.run(message, self)


ray.init(num_cpus=2, logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False)
actor, under_way = Meter.remote(context.config), deque()
for message in readings(context.config["count"]):
    under_way.append(actor.run.remote(message))
    if len(under_way) == 1000:
        ray.get(under_way.popleft())
print(orjson.dumps(next(result for result in ray.get(list(under_way)) if result)).decode())
ray.shutdown()
