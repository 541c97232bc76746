"""The load generator: users of Locust's, each with a connection and a timetable of its own.

A request's latency counts from when it was due, as wrk2 has it, and not from when it was sent: what stalls one request
is felt by all that had to wait behind it. Nothing is sent twice.

Reads a plan, one line of JSON on the standard input, and writes a line for each request; ends at the end of its input
with a line that says how many were due and could not be sent any more. Needs Locust alone, so it runs in a container.
"""

import json
import sys
from itertools import count, cycle
from math import ceil
from time import perf_counter
from typing import Any

from gevent import get_hub, sleep
from geventhttpclient import client
from locust import FastHttpUser, task
from locust.env import Environment

# A GET whose connection is closed before an answer would be sent again, unseen, and no setting says otherwise.
client._may_retry_after_send_error = lambda method: False  # noqa: ARG005 -- its own signature

_FLUSH_SECONDS = 0.1
_LOOK_SECONDS = 0.2
"""How often a user who waits looks whether the end has come."""
_LEAD_SECONDS = 0.5
"""How long the users have to be there before the first request is due."""


class Plan:
    """What is to be sent, and whether it still is."""

    def __init__(self, line: str) -> None:
        read: dict[str, Any] = json.loads(line)
        self.targets: list[tuple[str, str]] = [(name, url) for name, url in read["targets"].items()]
        self.tokens: list[tuple[str, str]] = [(tenant, token) for tenant, token in read["tokens"].items()]
        self.path: str = read["path"]
        self.users = int(read["connections"]) * len(self.targets)
        self.interval = self.users / float(read["rate"])
        """Seconds between two requests of one user."""
        self.timeout = float(read["timeout"])
        self.began = perf_counter() + _LEAD_SECONDS
        self.ended = 0.0
        self.missed = 0

    def is_over(self, due: float) -> bool:
        """Whether a request is not to be sent any more: due after the end, or too long kept waiting before it."""
        return bool(self.ended) and (due >= self.ended or perf_counter() > self.ended + self.timeout)


def user_of(plan: Plan) -> type[FastHttpUser]:
    """The class of the users that send it."""
    numbers, turns = count(), cycle(plan.tokens)

    class TimedUser(FastHttpUser):
        host = ""
        network_timeout = connection_timeout = plan.timeout
        concurrency = 1

        @task
        def keep_time(self) -> None:
            number = next(numbers) % plan.users
            edge, url = plan.targets[number % len(plan.targets)]
            due = plan.began + number / plan.users * plan.interval
            for tenant, token in turns:
                while not plan.ended and (wait := due - perf_counter()) > 0:
                    sleep(min(wait, _LOOK_SECONDS))
                if plan.is_over(due):
                    plan.missed += max(0, ceil((plan.ended - due) / plan.interval))
                    break
                sent = perf_counter()
                answer: Any = self.client.get(url + plan.path, headers={"Authorization": f"Bearer {token}"})
                now = perf_counter()
                error = str(answer.error or "") if answer.status_code == 0 else ""
                told = [due, (now - due) * 1000, (now - sent) * 1000, answer.status_code, edge, tenant]
                sys.stdout.write(json.dumps([*told, cell_of(answer.text), error]) + "\n")
                due += plan.interval
            self.stop()

    return TimedUser


def cell_of(text: str | None) -> str:
    """Which cell answered, by its own account."""
    try:
        return str(json.loads(text or "")["cell"])
    except (ValueError, KeyError, TypeError):
        return ""


def main() -> None:
    """Read the plan and keep to it until the input ends."""
    line = sys.stdin.readline()
    if not line:
        return
    plan = Plan(line)
    environment = Environment(user_classes=[user_of(plan)])
    runner = environment.create_local_runner()
    runner.start(plan.users, spawn_rate=plan.users)
    ending = get_hub().threadpool.spawn(sys.stdin.read)
    while not ending.ready():
        sys.stdout.flush()
        sleep(_FLUSH_SECONDS)
    plan.ended = perf_counter()
    while runner.user_count:
        sleep(_FLUSH_SECONDS)
    runner.quit()
    sys.stdout.write(json.dumps({"missed": plan.missed}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
