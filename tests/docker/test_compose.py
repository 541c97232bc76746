"""The compose system on a Docker engine: `up --wait` means that requests are answered, and nothing stays behind."""

import json
import time
from collections.abc import Iterator

import pytest

from tests.docker.composed import Composed, get
from tests.support.promql import rules

compose = Composed("alphaswarm-docker-test")
HOME, OTHER = "cell-shared-std-local", "cell-shared-std-eu"


@pytest.fixture(scope="module")
def token() -> Iterator[str]:
    """A token of the tenant acme, of a system with two Envoys that is up."""
    compose.down()
    try:
        compose("up", "--build", "--wait", "--scale", "edge=2", timeout=900)
        _, answer = get(compose.url("idp", 8000) + "/token?tenant=acme")
        yield str(json.loads(answer)["access_token"])
    finally:
        compose.down()


def test_once_it_is_up_every_envoy_answers_at_once(token: str) -> None:
    for index in (1, 2):
        edge = compose.url("edge", 10000, index)
        assert get(f"{edge}/api/x")[0] == 401
        status, answer = get(f"{edge}/api/x", token)
        assert (status, json.loads(answer)["cell"]) == (200, HOME)


def test_both_replicas_are_ready_and_have_all_envoys_between_them(token: str) -> None:
    nodes = set()
    for index in (1, 2):
        router = compose.url("tenant-router", 8080, index)
        assert json.loads(get(f"{router}/readyz")[1]) == {
            "status": "ok",
            "cells": 3,
            "auth_mode": "required",
            "cba_mode": "enforce",
        }
        nodes |= {node["node_id"] for node in json.loads(get(f"{router}/statusz")[1])["nodes"]}
    assert len(nodes) == 2


def test_a_move_by_plain_sql_is_followed(token: str) -> None:
    move = f"UPDATE tenants SET cell_id = '{OTHER}' WHERE id = 'acme'"
    compose("exec", "--no-TTY", "postgres", "psql", "--username", "xds", "alphaswarm", "--command", move)

    edge, deadline = compose.url("edge", 10000), time.monotonic() + 10
    while json.loads(get(f"{edge}/api/x", token)[1])["cell"] != OTHER:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_prometheus_finds_every_replica_and_every_envoy(token: str) -> None:
    compose.needs_image_of("prometheus")
    compose("up", "--wait", "--no-deps", "prometheus")

    prometheus, deadline = compose.url("prometheus", 9090), time.monotonic() + 30
    healths: list[tuple[str, str]] = []
    while sorted(healths) != [("alphaswarm-edge", "up")] * 2 + [("alphaswarm-tenant-router", "up")] * 2:
        assert time.monotonic() < deadline, healths
        time.sleep(0.2)
        targets = json.loads(get(f"{prometheus}/api/v1/targets")[1])["data"]["activeTargets"]
        healths = [(each["labels"]["job"], each["health"]) for each in targets]
    groups = json.loads(get(f"{prometheus}/api/v1/rules")[1])["data"]["groups"]
    assert {rule["name"] for group in groups for rule in group["rules"]} == {each["alert"] for each in rules()}


def test_up_again_changes_nothing(token: str) -> None:
    before = compose("ps", "--quiet", "edge", "tenant-router")
    compose("up", "--wait", "--scale", "edge=2")

    assert compose("ps", "--quiet", "edge", "tenant-router") == before
