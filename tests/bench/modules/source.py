"""A source of about 100 bytes of JSON a message, as many as `count` says."""


def readings(count):
    for number in range(count):
        yield {
            "id": number,
            "sensor": "hall-3/temperature",
            "value": 21.375,
            "unit": "C",
            "ok": True,
            "tags": ["a", "b"],
        }


def start(context):
    yield from readings(context.config["count"])
