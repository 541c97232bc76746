"""The workflows: valid, pinned, with the least permissions, and in the order that a release needs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github/workflows"
FILES = sorted(path.name for path in FOLDER.glob("*.yml"))
_PINNED = re.compile(r"uses: (?P<action>[\w./-]+)@(?P<hash>[0-9a-f]{40})  # v\d+\.\d+\.\d+")


def read(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((FOLDER / name).read_text(encoding="utf-8")))


def run(*command: str | Path) -> tuple[int, str]:
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def tool(name: str) -> Path:
    return Path(sys.executable).with_name(name)


def step(name: str) -> int:
    """The place of the first step of `publish` whose name or action has this text."""
    steps = read("build-publish.yml")["jobs"]["publish"]["steps"]
    return next(place for place, each in enumerate(steps) if name in each.get("uses", "") + each.get("name", ""))


def test_every_file_is_a_workflow_by_its_schema() -> None:
    files = [FOLDER / name for name in FILES]
    status, output = run(tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *files)

    assert status == 0, output


def test_zizmor_finds_no_weakness() -> None:
    status, output = run(tool("zizmor"), "--offline", "--no-progress", "--min-severity", "medium", FOLDER)

    assert status == 0, output


def test_actionlint_has_nothing_to_say() -> None:
    program = shutil.which("actionlint")
    if program is None:
        pytest.skip("actionlint is not installed")
    status, output = run(program, *(FOLDER / name for name in FILES))

    assert status == 0, output


def test_every_yaml_file_is_well_written() -> None:
    status, output = run(tool("yamllint"), "--strict", ".github", "deployments", ".yamllint")

    assert status == 0, output


@pytest.mark.parametrize("name", FILES)
def test_every_action_is_pinned_by_its_commit_and_says_its_version(name: str) -> None:
    used = [line for line in (FOLDER / name).read_text().splitlines() if "uses: " in line and "uses: ./" not in line]

    assert [line for line in used if not _PINNED.search(line)] == []


def test_an_action_is_of_one_version_everywhere() -> None:
    found = {match.groups() for name in FILES for match in _PINNED.finditer((FOLDER / name).read_text())}

    assert len(found) == len({action for action, _ in found})


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_permitted_but_by_a_job(name: str) -> None:
    workflow = read(name)
    allowed = {
        permission: level for job in workflow["jobs"].values() for permission, level in job["permissions"].items()
    }

    assert workflow["permissions"] == {}
    releasing = {"packages": "write", "id-token": "write"} if name == "build-publish.yml" else {}
    assert allowed == {"contents": "read", **releasing}


def test_a_release_is_tested_first_and_is_both_images_on_both_platforms() -> None:
    publish = read("build-publish.yml")["jobs"]["publish"]
    build = publish["steps"][step("build-push-action")]["with"]

    assert publish["needs"] == "test"
    assert publish["strategy"]["matrix"]["image"] == sorted(path.name for path in (ROOT / "build/docker").iterdir())
    assert build["platforms"] == "linux/amd64,linux/arm64"
    assert (build["sbom"], build["provenance"]) == (True, "mode=max")
    assert "push-by-digest=true" in build["outputs"]


def test_an_image_has_a_name_only_once_it_is_scanned_and_signed() -> None:
    steps = read("build-publish.yml")["jobs"]["publish"]["steps"]
    scans = [each for each in steps if "trivy-action" in each.get("uses", "")]
    last = steps[-1]["run"]

    assert step("build-push-action") < step("trivy-action") < step("cosign-installer") < len(steps) - 1
    assert [each["env"]["TRIVY_PLATFORM"] for each in scans] == ["linux/amd64", "linux/arm64"]
    assert all(each["with"]["exit-code"] == "1" and "CRITICAL" in each["with"]["severity"] for each in scans)
    assert last.index("cosign sign --yes") < last.index("imagetools create --tag")
