"""A real Prometheus, as the compose system configures it, that scrapes a stack instead."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import yaml

from tests.support.promql import ALERTS, DEPLOYMENTS
from tests.support.tools import needed
from xds.demo.ports import LOOPBACK, free_port
from xds.demo.processes import Child
from xds.demo.stack import Stack

_COMPOSED = DEPLOYMENTS / "docker-compose/prometheus.yaml"


def targets(stack: Stack) -> Mapping[str, list[str]]:
    """Where a stack's metrics are to be had, by job."""
    return {
        "alphaswarm-tenant-router": [f"{LOOPBACK}:{stack.ports.http}"],
        "alphaswarm-edge": [f"{LOOPBACK}:{port}" for port in stack.ports.admins.values()],
    }


@asynccontextmanager
async def scraping(stack: Stack, folder: Path) -> AsyncIterator[str]:
    """The URL of one that scrapes the stack every second; skips the test where there is no Prometheus."""
    binary = needed("prometheus", "Debian: apt-get install prometheus")
    config = yaml.safe_load(_COMPOSED.read_text())
    config |= {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": [str(ALERTS)]}
    for job in config["scrape_configs"]:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": targets(stack)[job["job_name"]]}]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    address = f"{LOOPBACK}:{free_port()}"
    options = (f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder}")
    child = Child("Prometheus", [binary, *options, f"--web.listen-address={address}"], log=folder / "prometheus.log")
    child.start()
    try:
        yield f"http://{address}"
    finally:
        await child.stop()


async def query(url: str, expression: str) -> Sequence[float]:
    """The values of an expression's series, now; none while nobody answers."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{url}/api/v1/query", params={"query": expression}) as answer,
        ):
            told = await answer.json()
    except aiohttp.ClientConnectionError:
        return ()
    assert answer.status == 200, (expression, told)
    return [float(series["value"][1]) for series in told["data"]["result"]]
