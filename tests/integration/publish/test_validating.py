"""A real Envoy is asked what it thinks of a content, and the resource at fault is found."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration, VirtualHost

from tests.golden.cases import CASES, translated
from tests.support.edge import GROUP, INTERNAL, cell, edge_options, tenant, topology
from xds.demo.envoy import packaged_binary
from xds.errors import LocalFailure, SettingsError
from xds.names import NodeGroup, ResourceName, TypeUrl
from xds.publish import validating
from xds.publish.rejection import Rejection
from xds.publish.validating import find_envoy, validate
from xds.snapshot import SHARED, Content, ContentChange, Place, encode_resource
from xds.translate import translate

MANY = [cell(f"cell-{number:02}") for number in range(20)]
GOOD = translate(topology(*MANY, *(tenant(f"t{each.id}", each.id) for each in MANY)), edge_options()).content


def spoilt(content: Content, type_url: TypeUrl, name: str, change: Callable[[bytes], bytes]) -> Content:
    """The content with one resource that is another."""
    place = Place(SHARED, type_url, ResourceName(name))
    resource = content.get(place)
    assert resource is not None
    worse = encode_resource(place.name, change(resource.body), needs=resource.needs, awaits=resource.awaits)
    return content.apply(ContentChange(upserts={place: worse}))


def endless(body: bytes) -> bytes:
    cluster = Cluster.parse(body)
    cluster.connect_timeout = timedelta(seconds=-1)
    return bytes(cluster)


def out_of_range(body: bytes) -> bytes:
    assignment = ClusterLoadAssignment.parse(body)
    endpoint = assignment.endpoints[0].lb_endpoints[0].endpoint
    assert endpoint is not None
    assert endpoint.address is not None
    assert endpoint.address.socket_address is not None
    endpoint.address.socket_address.port_value = 70_000
    return bytes(assignment)


def with_a_host_for_nobody(body: bytes) -> bytes:
    table = RouteConfiguration.parse(body)
    table.virtual_hosts.append(VirtualHost(name="nobody"))
    return bytes(table)


@pytest.mark.parametrize("case", CASES)
async def test_envoy_takes_every_golden_case(case: str) -> None:
    assert await validate(packaged_binary(), translated(case).content) == ()


@pytest.mark.parametrize(
    ("type_url", "name", "change", "words"),
    [
        (TypeUrl.CLUSTER, "cell-07-api", endless, "Expected positive duration"),
        (TypeUrl.ENDPOINT, "cell-13-api", out_of_range, "PortValue"),
        (TypeUrl.ROUTE, "cell-19", with_a_host_for_nobody, "Domains"),
    ],
)
async def test_the_one_resource_at_fault_is_named_with_its_row_and_envoys_words(
    type_url: TypeUrl, name: str, change: Callable[[bytes], bytes], words: str
) -> None:
    (found,) = await validate(packaged_binary(), spoilt(GOOD, type_url, name, change))

    assert (found.group, found.kind, found.name) == (GROUP, type_url.label, name)
    assert found.row == f"cell {name[:7]}"
    assert words in found.text
    assert "\n" not in found.text
    assert str(found).startswith(f"{type_url.label} {name} (cell {name[:7]}): ")


async def test_several_resources_at_fault_are_all_found() -> None:
    bad = spoilt(spoilt(GOOD, TypeUrl.CLUSTER, "cell-02-api", endless), TypeUrl.CLUSTER, "cell-11-api", endless)
    bad = spoilt(bad, TypeUrl.ROUTE, "public", with_a_host_for_nobody)

    found = await validate(packaged_binary(), bad)

    assert [(each.name, each.row) for each in found] == [
        ("cell-02-api", "cell cell-02"),
        ("cell-11-api", "cell cell-11"),
        ("public", ""),
    ]


async def test_what_the_settings_have_made_is_said_to_be_theirs() -> None:
    (found,) = await validate(packaged_binary(), translate(topology(cell()), edge_options(jwks='{"keys":[]}')).content)

    assert (found.kind, found.name, found.row) == ("ecds", "envoy.filters.http.jwt_authn", "")
    assert "Jwks doesn't have any valid public key" in found.text
    assert "(of the settings)" in str(found)


async def test_a_fault_that_all_groups_share_is_told_once_and_one_groups_own_is_told_of_it() -> None:
    other = NodeGroup("canary")
    options = edge_options(listeners={GROUP: ("127.0.0.1", 1), other: ("no address", 2)})
    content = translate(topology(cell()), options).content

    found = await validate(packaged_binary(), spoilt(content, TypeUrl.ROUTE, "public", with_a_host_for_nobody))

    assert sorted((each.kind, each.name) for each in found) == [("lds", "edge"), ("rds", "public")]
    assert next(each.group for each in found if each.kind == "lds") == other


async def test_files_that_only_envoys_machine_has_are_none_of_its_business() -> None:
    internal = replace(INTERNAL, certificate_file="/nowhere/crt", key_file="/nowhere/key", ca_file="/nowhere/ca")

    assert await validate(packaged_binary(), translate(topology(cell()), edge_options(internal=internal)).content) == ()


async def test_a_binary_that_does_not_answer_is_given_up_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, mark = tmp_path / "envoy", tmp_path / "mark"
    slow.write_text(f"#!/bin/sh\necho $$ > {mark}\nexec sleep 100\n")
    slow.chmod(0o755)
    monkeypatch.setattr(validating, "VALIDATE_SECONDS", 2.0)

    with pytest.raises(LocalFailure, match="has not said within 2 s"):
        await validate(slow, GOOD)
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


async def test_a_binary_that_cannot_run_is_said() -> None:
    with pytest.raises(LocalFailure, match="cannot run"):
        await validate(Path("/etc/hostname"), GOOD)


def test_the_binary_is_the_one_that_is_named_then_that_on_path_then_the_packaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_envoy("") == packaged_binary()

    for name in ("envoy", "other"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    assert find_envoy("") == tmp_path / "envoy"
    assert find_envoy(str(tmp_path / "other")) == tmp_path / "other"
    with pytest.raises(SettingsError, match="ENVOY_BINARY: expected a program that can be run, got /nowhere"):
        find_envoy("/nowhere")


def test_a_rejection_that_no_resource_explains_names_the_group() -> None:
    assert str(Rejection(group=GROUP, kind="", name="", row="", text="no")).startswith(f"group {GROUP} ")
