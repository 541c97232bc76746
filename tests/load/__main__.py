"""`python -m tests.load`: scenarios of load on real Envoys, and a report of what they came to.

Exit status: 0 all passed; 1 one did not, or this machine is in the way; 2 wrong arguments; 130 Ctrl-C.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from tests.load import report
from tests.load.compose import compose
from tests.load.local import local
from tests.load.play import Wishes
from tests.load.results import Outcome
from tests.load.scenarios import SCENARIOS
from tests.load.suite import Opening, play_all
from tests.load.view import Terminal
from xds.demo.interrupt import run_interruptibly

SYSTEMS: dict[str, Opening] = {"local": local, "compose": compose}


def main() -> None:
    """Read the arguments, play, report."""
    arguments = parser().parse_args()
    wishes = wishes_of(arguments)
    scenarios = [SCENARIOS[name] for name in dict.fromkeys(arguments.scenario or SCENARIOS)]
    outcomes: list[Outcome] = []
    console, began = Console(stderr=True), time.perf_counter()

    async def work() -> None:
        with Terminal(console, len(scenarios)) as view:
            outcomes.extend(await play_all(scenarios, SYSTEMS[arguments.on], wishes, view))

    interrupted_by = run_interruptibly(work())
    if interrupted_by is not None:
        console.print("Interrupted; nothing stays behind.")
        raise SystemExit(128 + interrupted_by)
    setting = _setting(arguments, wishes, time.perf_counter() - began)
    page = report.write(arguments.report, outcomes, setting)
    console.print(f"report: {page}", soft_wrap=True, highlight=False)
    if arguments.json:
        sys.stdout.write(report.to_json(outcomes, setting) + "\n")
    raise SystemExit(0 if all(outcome.ok for outcome in outcomes) else 1)


def wishes_of(arguments: argparse.Namespace) -> Wishes:
    """What was wished for: by one number of Envoys, if it is given, as many as there are and as many as join."""
    wishes = Wishes(seconds=arguments.seconds, rate=arguments.rate, clients=arguments.clients)
    return replace(wishes, envoys=arguments.envoys, joining=arguments.envoys) if arguments.envoys else wishes


def parser() -> argparse.ArgumentParser:
    """What the arguments may be."""
    names = "\n".join(f"  {each.name:<9} {each.title}; passes if {each.passes}" for each in SCENARIOS.values())
    reader = argparse.ArgumentParser(
        prog="python -m tests.load",
        description=__doc__,
        epilog=f"scenarios:\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    reader.add_argument("--scenario", action="append", choices=SCENARIOS, help="may be repeated; all by default")
    reader.add_argument("--on", choices=SYSTEMS, default="local", help="local processes (the default), or compose")
    reader.add_argument("--seconds", type=_number(1, 3600), default=10.0, help="of each step of a scenario (10)")
    reader.add_argument("--rate", type=_number(1, 100_000), default=200.0, help="requests a second, in all (200)")
    reader.add_argument("--envoys", type=_count(1, 32), help="how many (2), or how many join (4)")
    reader.add_argument("--clients", type=_count(1, 100_000), default=2000, help="light clients of the fleet (2000)")
    reader.add_argument(
        "--report", type=Path, default=Path("load-report"), metavar="DIR", help="where it goes (load-report)"
    )
    reader.add_argument("--json", action="store_true", help="the report as JSON on standard output, too")
    return reader


def _number(least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"expected a number of {least:g} to {most:g}, got {text!r}")
        return value

    return read


def _count(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"expected a whole number of {least} to {most}, got {text!r}")
        return int(text)

    return read


def _setting(arguments: argparse.Namespace, wishes: Wishes, seconds: float) -> dict[str, str]:
    places = {"local": "local processes", "compose": "docker compose"}
    return {
        "when": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {seconds:.0f} s in all",
        "on": f"{places[arguments.on]}; {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "load": f"{wishes.rate:g} requests/s at a constant rate, steps of {wishes.seconds:g} s,"
        f" {wishes.envoys} Envoys with {wishes.connections} connections each",
        "latency": "counts from when a request was due, not from when it was sent; nothing is sent twice",
    }


if __name__ == "__main__":
    main()
