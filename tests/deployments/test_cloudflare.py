"""The Cloudflare configuration: formatted, parsed, in the provider's own words, and one that does split traffic."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import hcl2
import pytest

from tests.support.tools import needed

FOLDER = Path(__file__).parents[2] / "deployments" / "cloudflare"
FILE = FOLDER / "alphaswarm_load_balancer.tf"

# Of the provider's version 5.14.0, as the package cdktf-cdktf-provider-cloudflare 13.9.1 lists them.
ARGUMENTS = {
    "cloudflare_load_balancer": "adaptive_routing country_pools default_pools description enabled"
    " fallback_pool location_strategy name networks pop_pools proxied random_steering region_pools rules"
    " session_affinity session_affinity_attributes session_affinity_ttl steering_policy ttl zone_id",
    "cloudflare_load_balancer.random_steering": "default_weight pool_weights",
    "cloudflare_load_balancer_pool": "account_id check_regions description enabled latitude load_shedding longitude"
    " minimum_origins monitor monitor_group name notification_email notification_filter origin_steering origins",
    "cloudflare_load_balancer_pool.origins": "address enabled header name port virtual_network_id weight",
    "cloudflare_load_balancer_monitor": "account_id allow_insecure consecutive_down consecutive_up description"
    " expected_body expected_codes follow_redirects header interval method path port probe_zone retries timeout type",
}
REQUIRED = {
    "cloudflare_load_balancer": {"default_pools", "fallback_pool", "name", "zone_id"},
    "cloudflare_load_balancer_pool": {"account_id", "name", "origins"},
    "cloudflare_load_balancer_monitor": {"account_id"},
}
POOLS = ("alphaswarm_proxy_legacy", "alphaswarm_proxy_envoy")


def plain(value: Any) -> Any:
    """The parser's value without its own remarks, and without the quotes that it leaves around text."""
    match value:
        case dict():
            return {plain(key): plain(held) for key, held in value.items() if not key.startswith("__")}
        case list():
            return [plain(each) for each in value]
        case str() if value.startswith('"'):
            return json.loads(value)
        case _:
            return value


@pytest.fixture(scope="module")
def parsed() -> dict[str, Any]:
    with FILE.open() as stream:
        return dict(plain(hcl2.load(stream)))


@pytest.fixture(scope="module")
def resources(parsed: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (kind, name): body
        for each in parsed["resource"]
        for kind, named in each.items()
        for name, body in named.items()
    }


def test_it_is_formatted_as_terraform_does() -> None:
    done = subprocess.run(
        [needed("terraform"), "fmt", "-check", "-diff", FOLDER], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_every_argument_is_one_of_the_provider_that_is_pinned(
    parsed: dict[str, Any], resources: dict[tuple[str, str], dict[str, Any]]
) -> None:
    [terraform] = parsed["terraform"]
    assert terraform["required_providers"] == [
        {"cloudflare": {"source": "cloudflare/cloudflare", "version": "~> 5.14"}}
    ]
    for (kind, name), body in resources.items():
        assert body.keys() <= set(ARGUMENTS[kind].split()), (kind, name)
        assert body.keys() >= REQUIRED[kind], (kind, name)
        for origin in body.get("origins", ()):
            assert origin.keys() <= set(ARGUMENTS[f"{kind}.origins"].split())
        steering = body.get("random_steering", {})
        assert steering.keys() <= set(ARGUMENTS["cloudflare_load_balancer.random_steering"].split())


def test_the_two_pools_are_split_by_the_weights_of_pools(resources: dict[tuple[str, str], dict[str, Any]]) -> None:
    pools = [f"${{cloudflare_load_balancer_pool.{name}.id}}" for name in POOLS]
    balancer = resources["cloudflare_load_balancer", "alphaswarm"]

    assert balancer["steering_policy"] == "random"
    assert balancer["default_pools"] == pools
    assert balancer["fallback_pool"] == pools[0]
    weights = {
        re.sub(r"[()]", "", pool): weight for pool, weight in balancer["random_steering"]["pool_weights"].items()
    }
    assert weights == {pools[0]: "${(100 - var.envoy_percent) / 100}", pools[1]: "${var.envoy_percent / 100}"}
    for name in POOLS:
        [origin] = resources["cloudflare_load_balancer_pool", name]["origins"]
        assert origin["weight"] == 1


def test_a_roll_back_takes_effect_at_once(resources: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert resources["cloudflare_load_balancer", "alphaswarm"]["session_affinity"] == "none"


def test_it_begins_with_all_traffic_at_the_legacy_proxy(parsed: dict[str, Any]) -> None:
    variables = {name: body for each in parsed["variable"] for name, body in each.items()}

    assert variables["envoy_percent"]["default"] == 0
    [validation] = variables["envoy_percent"]["validation"]
    assert validation["condition"] == "${contains([0, 10, 50, 100], var.envoy_percent)}"
    for required in ("account_id", "zone_id", "legacy_address", "edge_address"):
        assert "default" not in variables[required]
