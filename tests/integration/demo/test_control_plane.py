"""The commands of the control plane, run as processes."""

from pathlib import Path

import pytest

from xds.demo.control_plane import ControlPlane
from xds.demo.ports import free_port
from xds.errors import LocalFailure


@pytest.fixture
def control_plane(tmp_path: Path) -> ControlPlane:
    return ControlPlane({}, xds_port=free_port(), http_port=free_port(), logs=tmp_path)


async def test_a_command_gives_what_it_prints(control_plane: ControlPlane) -> None:
    assert (await control_plane.run("--version")).startswith("alphaswarm-xds")


async def test_a_command_that_fails_is_one_line_with_its_name_and_reason(control_plane: ControlPlane) -> None:
    with pytest.raises(LocalFailure, match=r"^alphaswarm-xds no-such: .*exit status 2: .*no-such") as failure:
        await control_plane.run("no-such")
    assert "\n" not in str(failure.value)


async def test_a_bootstrap_names_node_group_and_server(control_plane: ControlPlane) -> None:
    bootstrap = await control_plane.bootstrap("edge-a", admin_port=free_port(), variant="delta")
    node = bootstrap["node"]
    assert isinstance(node, dict)
    assert (node["id"], node["cluster"]) == ("edge-a-1", "edge-a")
    assert control_plane.server.rpartition(":")[2] in str(bootstrap)


async def test_one_that_is_not_there_is_not_ready_and_says_so(control_plane: ControlPlane) -> None:
    assert not await control_plane.is_ready()
    with pytest.raises(LocalFailure, match=r"^control plane: http://127.0.0.1:\d+/readyz: no answer: "):
        await control_plane.ask("/readyz")


async def test_settings_that_it_refuses_are_told_in_one_line(tmp_path: Path) -> None:
    wrong = ControlPlane({"AUTH_MODE": "never"}, xds_port=free_port(), http_port=free_port(), logs=tmp_path)
    wrong.begin()
    with pytest.raises(LocalFailure, match=r"^control plane: .* ended with exit status \d: .*AUTH_MODE"):
        await wrong.ready()
