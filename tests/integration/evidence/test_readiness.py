"""Routers' readiness over real HTTP."""

from tests.integration.evidence.serving import serving
from xds.demo.ports import LOOPBACK, free_port
from xds.evidence import Asking, Routers


async def test_each_replica_is_asked_and_one_that_is_silent_is_not_ready() -> None:
    dead = f"http://{LOOPBACK}:{free_port()}"
    ready = {"/readyz": (200, '{"status":"ok"}')}
    waiting = {"/readyz": (503, '{"status":"waiting",\n "reason":"no snapshot"}')}
    async with serving(ready) as first, serving(waiting) as second, Asking() as asking:
        looks = await Routers(asking, [first, f"{second}/readyz", dead]).look()

    assert [look.url for look in looks] == [first, second, dead]
    assert [look.fault for look in looks] == [
        "",
        '503 {"status":"waiting", "reason":"no snapshot"}',
        "no answer: connection refused, which counts as not ready",
    ]


async def test_a_name_that_leads_nowhere_is_a_replica_that_is_not_ready() -> None:
    async with Asking() as asking:
        (look,) = await Routers(asking, ["http://nowhere.invalid:1/readyz"]).look()

    assert look.url == look.name == "http://nowhere.invalid:1"
    assert look.fault.startswith("its name is not found: ")
    assert look.fault.endswith(", which counts as not ready")
