"""`canary`'s arguments, exit statuses, state file and plan. What it judges: tests/e2e/test_canary.py."""

import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.integration.cli.conftest import DOWN, PROGRAM, Run, run_program
from tests.integration.evidence.serving import serving

SINCE = ("--since", "2026-11-01T00:00:00Z")
READY = ("--ready", "http://127.0.0.1:1")
EDGE = ("--edge", "http://127.0.0.1:1")
EXAMPLE = Path(__file__).parents[3] / "deployments" / "cloudflare" / "terraform.tfvars.example"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", *READY, *EDGE), "Missing option '--since'"),
        (("check", "--since", "yesterday", *READY, *EDGE), "expected a time such as 2026-11-23T09:00:00Z"),
        (("check", "--since", "2999-01-01", *READY, *EDGE), "still to come"),
        (("check", *SINCE, *EDGE), "expected --ready URL for every tenant router"),
        (("check", *SINCE, *READY), "expected one of --prometheus URL and --edge URL"),
        (("check", *SINCE, *READY, *EDGE, "--prometheus", "http://p:9090"), "expected one of --prometheus"),
        (("check", *SINCE, "--ready", "router:8080", *EDGE), "expected a URL such as http://router-0:8080"),
        (("check", *SINCE, *READY, "--edge", "http://[x"), "expected a URL"),
        (("check", *SINCE, *READY, "--prometheus", "https://u:s3cret@p"), "expected a URL without a user"),
        (("check", *SINCE, *READY, *EDGE, "--window", "5 minutes"), "expected a time such as 90s, 10m or 1h"),
        (("check", *SINCE, *READY, *EDGE, "--window", "0s"), "expected a time such as 90s, 10m or 1h"),
        (("check", *SINCE, *READY, *EDGE, "--max-share", "101"), "is not in the range"),
        (("check", *SINCE, *READY, *EDGE, "--audit-table", "a..b"), "expected the name of a table or column"),
        (("check", *SINCE, *(f"--skip={each}" for each in ("readiness", "edge", "audit"))), "nothing is left to ask"),
        (("watch", *SINCE, *READY, *EDGE, "--for", "299s"), "less than the window of 300 s: no rate would be known"),
        (("plan",), "expected one of --weight and --tfvars"),
        (("plan", "--weight", "20"), "'20' is not one of"),
    ],
)
def test_wrong_arguments_are_2(xds: Run, arguments: tuple[str, ...], said: str) -> None:
    ran = xds("canary", *arguments)

    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err
    assert "s3cret" not in ran.err


async def test_a_database_that_is_down_is_3_and_its_password_is_not_told() -> None:
    async with serving({"/readyz": (200, "{}")}) as url:
        arguments = ("canary", "check", *SINCE, "--ready", url, "--skip", "edge")
        ran = await asyncio.to_thread(run_program, arguments, DOWN)

    lines = ran.out.splitlines()
    assert (ran.status, ran.err) == (3, "")
    assert lines[0].startswith("cannot tell, at ")
    assert lines[1:] == [
        "readiness: go: all 1 replicas are ready",
        f"  {url}: ready",
        "audit: cannot tell: audit events in 127.0.0.1:1/alphaswarm: connection refused",
        "edge: not asked, by --skip",
    ]


@pytest.mark.parametrize("text", ["", "{}", "no json"])
def test_a_state_file_that_cannot_be_read_is_3(xds: Run, tmp_path: Path, text: str) -> None:
    state = tmp_path / "state.json"
    state.write_text(text)
    ran = xds("canary", "check", *SINCE, *READY, *EDGE, "--skip", "audit", "--state", str(state))

    assert (ran.status, ran.out) == (3, "")
    assert ran.err.startswith(f"cannot tell: state file {state}: ")
    assert ran.err.endswith("; delete it to begin anew\n")


def test_a_replica_is_remembered_from_one_run_to_the_next(xds: Run, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    arguments = ("canary", "check", *SINCE, *READY, "--skip", "edge", "--skip", "audit", "--state", str(state))
    assert xds(*arguments).status == 3
    held = json.loads(state.read_text())
    held["not_ready_since"] = {url: at - 61 for url, at in held["not_ready_since"].items()}
    state.write_text(json.dumps(held))

    ran = xds(*arguments, "--json")
    assert ran.status == 1
    assert ran.json["verdict"] == "stop"
    assert ran.json["skipped"] == ["edge", "audit"]
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_the_plan_follows_its_own_commands_through_the_file(xds: Run, tmp_path: Path) -> None:
    """The command that sets the next weight is run as printed, on a copy of the example."""
    file = tmp_path / "deployments" / "cloudflare" / "terraform.tfvars"
    file.parent.mkdir(parents=True)
    file.write_text(EXAMPLE.read_text())
    for step, percent in enumerate((0, 10, 50, 100), start=1):
        plan = xds("canary", "plan", "--tfvars", str(file), "--json").json
        assert plan["percent"] == percent
        assert plan["state"].startswith(f"Step {step}: ")
        for setting in (each for each in plan["steps"][1]["commands"] if each.startswith("sed ")):
            subprocess.run(setting, shell=True, cwd=tmp_path, check=True)
    plan = xds("canary", "plan", "--tfvars", str(file), "--json").json
    back = plan["steps"][-1]["commands"][0]
    subprocess.run(back, shell=True, cwd=tmp_path, check=True)
    assert xds("canary", "plan", "--tfvars", str(file), "--json").json["percent"] == 0


@pytest.mark.parametrize(
    "text", ["", "envoy_percent = 30", "envoy_percent = x", "envoy_percent = 0\nenvoy_percent = 1"]
)
def test_a_file_without_a_known_weight_is_2(xds: Run, tmp_path: Path, text: str) -> None:
    file = tmp_path / "terraform.tfvars"
    file.write_text(text)
    ran = xds("canary", "plan", "--tfvars", str(file))

    assert (ran.status, ran.out) == (2, "")
    assert f"{file}: " in ran.err


def test_the_plan_says_the_step_the_next_and_the_way_back(xds: Run) -> None:
    lines = xds("canary", "plan", "--weight", "50").out.splitlines()

    assert lines[0] == "Step 3: 50 % of the traffic goes to the edge"
    assert "Next, if the check says go: 100 % to the edge" in lines
    assert "The way back, at any time: all traffic to the legacy proxy, at once" in lines


async def test_on_a_terminal_the_view_is_renewed_in_place_and_the_evidence_follows() -> None:
    ours, theirs = os.openpty()
    async with serving({"/readyz": (200, "{}")}) as url:
        process = await asyncio.create_subprocess_exec(
            *(PROGRAM, "canary", "watch", *SINCE, "--ready", url, "--skip", "edge", "--skip", "audit"),
            *("--for", "2s", "--every", "1s"),
            stdout=theirs,
            env={"PATH": os.environ["PATH"], "TERM": "xterm"},
        )
        os.close(theirs)
        status = await asyncio.wait_for(process.wait(), 60)
    shown = os.read(ours, 65536).decode()
    os.close(ours)

    assert status == 0
    assert "\x1b[1A" in shown, "the cursor goes back up"
    assert "\x1b[?25h" in shown, "and is shown again at the end"
    assert shown.replace("\r", "").endswith(
        f"  {url}: ready\nedge: not asked, by --skip\naudit: not asked, by --skip\n"
    )
