"""Our bytes against two decoders that nobody here wrote, and against ourselves in another process."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryResponse, DiscoveryResponse
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.builders import CDS, cluster
from xds.names import Nonce, ResourceName
from xds.proto import discovery_pb2 as pb
from xds.snapshot import Frames, Resource, ResourceTable, delta_size, encode_resource, removal_size, with_nonce
from xds.snapshot.frames import _MEMO, _MEMO_BYTES

ROOT = Path(__file__).parents[3]

TEXT = st.text(max_size=200)
RESOURCES = st.lists(
    st.builds(encode_resource, TEXT.map(ResourceName), st.binary(max_size=300)), max_size=5, unique_by=lambda x: x.name
)


@settings(deadline=None)
@given(TEXT, RESOURCES, st.lists(TEXT.map(ResourceName), max_size=5), TEXT)
def test_a_delta_response_means_the_same_to_every_decoder(
    version: str, upserts: list[Resource], removed: list[ResourceName], nonce: str
) -> None:
    frame = with_nonce(Frames().delta(CDS, version, upserts, removed), Nonce(nonce))
    theirs = DeltaDiscoveryResponse.parse(frame)
    ours = pb.DeltaDiscoveryResponse.FromString(frame)

    expected = [(each.name, each.version, CDS.value, each.body) for each in upserts]
    assert [
        (each.name, each.version, each.resource.type_url, each.resource.value) for each in ours.resources
    ] == expected
    assert [
        (each.name, each.version, each.resource.type_url, each.resource.value)
        for each in theirs.resources
        if each.resource is not None
    ] == expected
    assert (ours.system_version_info, ours.type_url, ours.nonce) == (version, CDS, nonce)
    assert (theirs.system_version_info, theirs.type_url, theirs.nonce) == (version, CDS, nonce)
    assert list(ours.removed_resources) == theirs.removed_resources == removed


@settings(deadline=None)
@given(TEXT, RESOURCES, TEXT)
def test_a_state_of_the_world_response_means_the_same_to_every_decoder(
    version: str, resources: list[Resource], nonce: str
) -> None:
    frame = with_nonce(Frames().sotw(CDS, version, resources), Nonce(nonce))
    theirs = DiscoveryResponse.parse(frame)
    ours = pb.DiscoveryResponse.FromString(frame)

    expected = [(CDS.value, each.body) for each in resources]
    assert [(each.type_url, each.value) for each in ours.resources] == expected
    assert [(each.type_url, each.value) for each in theirs.resources] == expected
    assert (ours.version_info, ours.type_url, ours.nonce) == (version, CDS, nonce)
    assert (theirs.version_info, theirs.type_url, theirs.nonce) == (version, CDS, nonce)


@settings(deadline=None)
@given(TEXT, RESOURCES)
def test_the_bytes_are_those_of_envoys_own_messages_re_encoded(version: str, resources: list[Resource]) -> None:
    frame = with_nonce(Frames().delta(CDS, version, resources, []), Nonce("1"))
    ours = pb.DeltaDiscoveryResponse.FromString(frame)

    assert DeltaDiscoveryResponse.parse(bytes(DeltaDiscoveryResponse.parse(frame))) == DeltaDiscoveryResponse.parse(
        ours.SerializeToString()
    )


# Sizes


@settings(deadline=None)
@given(RESOURCES)
def test_rule_36_the_size_of_a_resource_in_a_response_is_known_to_a_few_bytes(resources: list[Resource]) -> None:
    frames = Frames()
    empty = len(frames.delta(CDS, "v", [], []))
    for resource in resources:
        added = len(frames.delta(CDS, "v", [resource], [])) - empty
        characters = len(resource.name.encode()) - len(resource.name)
        assert abs(added - characters - delta_size(CDS, resource)) <= 16


@settings(deadline=None)
@given(TEXT.map(ResourceName))
def test_rule_36_the_size_of_a_removal_in_a_response_is_known_to_a_few_bytes(name: ResourceName) -> None:
    frames = Frames()

    assert 0 <= removal_size(name) - len(frames.delta(CDS, "v", [], [name])) + len(frames.delta(CDS, "v", [], [])) <= 2


# Sharing


def test_streams_that_are_sent_the_same_share_the_body() -> None:
    frames = Frames()
    resource = cluster("a").resource

    assert frames.delta(CDS, "v", [resource], []) is frames.delta(CDS, "v", (resource,), ())
    assert frames.sotw(CDS, "v", [resource]) is frames.sotw(CDS, "v", [resource])


def test_a_body_is_not_taken_for_another() -> None:
    frames = Frames()
    resource, other = cluster("a").resource, cluster("a", 2).resource
    name = resource.name
    bodies = {
        frames.delta(CDS, "v", [resource], []),
        frames.delta(CDS, "w", [resource], []),
        frames.delta(CDS, "v", [other], []),
        frames.delta(CDS, "v", [resource], [name]),
        frames.delta("t", "v", [resource], []),
        frames.sotw(CDS, "v", [resource]),
    }

    assert len(bodies) == 6


def test_the_newest_bodies_are_kept_and_the_oldest_go() -> None:
    frames = Frames()
    first = frames.delta(CDS, "0", [], [])
    second = frames.delta(CDS, "1", [], [])
    for number in range(2, _MEMO):
        frames.delta(CDS, str(number), [], [])
    assert frames.delta(CDS, "0", [], []) is first, "asked for again, it is young again"

    frames.delta(CDS, "new", [], [])

    assert frames.delta(CDS, "0", [], []) is first
    assert frames.delta(CDS, "1", [], []) is not second


def test_large_bodies_are_kept_up_to_a_total_and_the_newest_always(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _MEMO_BYTES >= 3 << 20
    monkeypatch.setattr("xds.snapshot.frames._MEMO_BYTES", 1000)
    frames = Frames()
    small = frames.delta(CDS, "small", [], [])
    large = encode_resource(ResourceName("a"), b"x" * 2000)
    body = frames.delta(CDS, "large", [large], [])

    assert frames.delta(CDS, "large", [large], []) is body
    assert frames.delta(CDS, "small", [], []) is not small


# Determinism

PROGRAM = """
import random, sys
from tests.unit.snapshot.test_frames import shuffled_frames
sys.stdout.write(shuffled_frames(int(sys.argv[1])).hex())
"""


def shuffled_frames(seed: int) -> bytes:
    """The versions and frames of one content, put together in an order that depends on `seed`."""
    items = [cluster(f"name-{number}", number % 7).resource for number in range(200)]
    removed = [ResourceName(f"gone-{number}") for number in range(20)]
    random.Random(seed).shuffle(items)
    table = ResourceTable(CDS, items[:100]).replace(items[100:], removed)
    upserts = sorted(table.values(), key=lambda each: each.name)
    frames = Frames()
    return (
        table.version_info.encode()
        + frames.delta(CDS, table.version_info, upserts, sorted(set(removed)))
        + frames.sotw(CDS, table.version_info, upserts)
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_rule_12_versions_and_frames_are_equal_in_another_process_with_another_hash_seed(seed: int) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM, str(seed)]

    told = subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60)

    assert told.stdout == shuffled_frames(0).hex()
