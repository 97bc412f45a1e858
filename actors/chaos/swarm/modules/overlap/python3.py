import asyncio


async def run(m, c):
    g = c.config
    await asyncio.sleep((m["value"] % 7) / 2000)
    m["path"] = m["path"] + "/" + g["id"]
    m["versions"] = m["versions"] + g["version"]
    return m
