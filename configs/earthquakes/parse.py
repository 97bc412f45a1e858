"""GeoJSON of the US Geological Survey to flat records. Whatever raises here leaves at the error port."""

from datetime import UTC, datetime

SAME_REGION = {"CA": "California"}


def run(feature, context):
    properties = feature["properties"]
    if properties["type"] != "earthquake":
        raise ValueError(f"{properties['type']} is not an earthquake")
    region = properties["place"].rpartition(", ")[2]  # "4km W of Castaic, CA"
    return {
        "id": feature["id"],
        "day": datetime.fromtimestamp(properties["time"] / 1000, UTC).date().isoformat(),
        "magnitude": properties["mag"],
        "place": properties["place"],
        "region": SAME_REGION.get(region, region),
        "depth_km": feature["geometry"]["coordinates"][2],
    }
