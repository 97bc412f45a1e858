"""Sensors that publish by MQTT: `sensors.py FOLDER PORT SEED`, for a Python that has paho-mqtt.

What the broker has taken is in FOLDER/published.ndjson. With FOLDER/pause nothing is on its way once FOLDER/paused is
there; with FOLDER/end the last one is published, and FOLDER/ended is there.
"""

import json
import math
import random
import sys
import time
from pathlib import Path

from paho.mqtt import client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

DEVICES = ("oven", "lid", "belt", "fan", "tank")
STEP_S, JITTER_S = 3.0, 2.0  # between two readings of a device; lateness_s of the plant is 5
PAUSE_S = 0.15  # between two rounds of four readings of each device


def reserve(port):
    """The session of the plant's mqtt-in: from now on the broker keeps what is published."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "plant-listen", protocol=mqtt.MQTTv5)
    taken = []
    client.on_subscribe = lambda *_: taken.append(True)
    session = Properties(PacketTypes.CONNECT)
    session.SessionExpiryInterval = 86400
    client.connect("127.0.0.1", port, clean_start=False, properties=session)
    client.subscribe("plant/+/celsius", 1)
    while not taken:
        client.loop(0.1)
    client.disconnect()
    while client.loop(0.1) == mqtt.MQTT_ERR_SUCCESS:
        pass


def readings(chance):
    """In rounds: four of each device."""
    at = 0.0
    while True:
        found = []
        for _ in range(4):
            at += STEP_S
            for index, device in enumerate(DEVICES):
                celsius = 30 + 14 * math.sin(at / 70 + index * 2) + chance.random()
                found.append((device, {"celsius": round(celsius, 2), "at": round(at + chance.random() * JITTER_S, 3)}))
        yield at, found


def main(folder, port, seed):
    reserve(port)
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "sensors", protocol=mqtt.MQTTv5)
    client.reconnect_delay_set(1, 1)
    client.connect("127.0.0.1", port)
    client.loop_start()
    with (folder / "published.ndjson").open("w") as file:

        def publish(found):
            sent = [client.publish(f"plant/{device}/celsius", json.dumps(value), 1) for device, value in found]
            for one in sent:
                one.wait_for_publish(60)
                assert one.is_published()
            file.writelines(json.dumps({"device": device, **value}) + "\n" for device, value in found)
            file.flush()

        for at, found in readings(random.Random(seed)):
            while (folder / "pause").exists() or not client.is_connected():
                if (folder / "pause").exists():
                    (folder / "paused").touch()
                time.sleep(0.02)
            (folder / "paused").unlink(missing_ok=True)
            publish(found)
            if (folder / "end").exists():
                publish([(DEVICES[0], {"celsius": 0.0, "at": at + 1000})])  # every window before is over
                break
            time.sleep(PAUSE_S)
    client.disconnect()
    client.loop_stop()
    (folder / "ended").touch()


main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
