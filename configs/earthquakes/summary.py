"""Counts a day's earthquakes; the first one of the next day sends the summary."""


def run(quake, context):
    today = context.get("today")
    finished = None
    if today is None or today["day"] != quake["day"]:
        finished = today and summary(today, context.config["regions"])
        today = {
            "day": quake["day"],
            "earthquakes": 0,
            "largest": quake["magnitude"],
            "at": quake["place"],
            "regions": {},
        }
    today["earthquakes"] += 1
    today["regions"][quake["region"]] = today["regions"].get(quake["region"], 0) + 1
    if quake["magnitude"] > today["largest"]:
        today |= {"largest": quake["magnitude"], "at": quake["place"]}
    context.set("today", today)
    return finished


def summary(today, most):
    """The day with only its `most` busiest regions."""
    ranking = sorted(today["regions"].items(), key=lambda entry: -entry[1])
    return {**today, "regions": dict(ranking[:most])}
