"""What holds of the resources, and of every byte on the wire, whatever is in the registry and however it came there."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.properties.fleet import Fleet, sent
from tests.support.edge import resources, tenants, topologies
from tests.support.translations import full, shuffled
from xds.model import Changes, Tenant, Topology
from xds.names import Revision, TypeUrl
from xds.proto import discovery_pb2 as pb
from xds.snapshot import Resource

ROOT = Path(__file__).parents[2]
ELSEWHERE = "from tests.properties.test_translation import answer; answer()"
Elsewhere = Callable[[Topology, Topology], str]

tried = settings(suppress_health_check=[HealthCheck.too_slow])
"""On how many examples, the profile says."""


def digest(before: Topology, after: Topology) -> str:
    """A hash of every byte that a fleet is sent."""
    return blake2b(sent(before, after)).hexdigest()


def answer() -> None:
    """In another process: read topologies, print what becomes of them."""
    for line in sys.stdin:
        before, after = pickle.loads(bytes.fromhex(line))
        print(digest(before, after), flush=True)  # noqa: T201 -- its answer


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    """The same in another process, with another hash seed."""
    command = [sys.executable, "-W", "ignore", "-c", ELSEWHERE]
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    ) as process:
        assert process.stdin
        assert process.stdout
        questions, answers = process.stdin, process.stdout

        def ask(before: Topology, after: Topology) -> str:
            print(pickle.dumps((before, after)).hex(), file=questions, flush=True)
            told = answers.readline().strip()
            assert told, "the other process has ended"
            return told

        yield ask


@tried
@given(topologies(), topologies(), st.integers())
def test_determinism(elsewhere: Elsewhere, before: Topology, after: Topology, seed: int) -> None:
    """In another order, another process and with another hash seed, every client is sent the same bytes."""
    after = replace(after, revision=Revision(2))

    assert elsewhere(shuffled(before, seed), shuffled(after, seed)) == digest(before, after)


@tried
@given(topologies(), tenants(), st.booleans())
def test_isolation(before: Topology, changed: Tenant, is_gone: bool) -> None:
    """A change to one tenant leaves every byte of all other resources alone, and nothing else is sent."""
    tenant = None if is_gone else changed
    after = before.apply(Changes(revision=Revision(2), tenants={changed.id: tenant}))
    fleet = Fleet(full(before))
    held = resources(fleet.translation)
    own = (TypeUrl.SCOPE, changed.id)

    told = fleet.follow(after)

    for translation in (fleet.translation, full(after)):
        now = resources(translation)
        assert {key for key in held.keys() | now.keys() if _bytes(held, key) != _bytes(now, key)} <= {own}
    for (_, variant), frames in told.items():
        for frame in frames if variant == "delta" else ():
            response = pb.DeltaDiscoveryResponse.FromString(frame)
            names = {*(each.name for each in response.resources), *response.removed_resources}
            assert (response.type_url, names) == (own[0], {own[1]})


def _bytes(held: Mapping[tuple[str, str], Resource], key: tuple[str, str]) -> tuple[bytes, str] | None:
    return (held[key].body, held[key].version) if key in held else None
