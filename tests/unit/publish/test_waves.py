"""Waves: what an operator may write, and which nodes each chooses."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.errors import RequestError
from xds.publish.waves import Waves


@dataclass(frozen=True)
class Node:
    """What of a node decides about its wave."""

    id: str = "edge-1"
    group: str = "edge"
    region: str = ""
    zone: str = ""
    labels: dict[str, str] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("10%, 50%", ("10%", "50%", "all")),
        ("node=edge-canary-*,all", ("node=edge-canary-*", "all")),
        ("zone=eu-1a & 12.5%", ("zone=eu-1a & 12.5%", "all")),
        ("", ("all",)),
    ],
)
def test_a_last_wave_of_all_follows_of_itself(text: str, names: tuple[str, ...]) -> None:
    assert Waves(text).names == names


@pytest.mark.parametrize(
    "term", ["0%", "101%", "x%", "nan%", "-1%", "node=", "colour=blue", "label.=x", "everyone", "10%&", "&"]
)
def test_what_makes_no_sense_is_refused_by_name(term: str) -> None:
    with pytest.raises(RequestError, match="waves: expected waves separated by commas") as refused:
        Waves(f"10%,{term}")
    assert repr(term.split("&")[-1 if term.endswith("&") else 0].strip()) in str(refused.value)


@pytest.mark.parametrize(
    ("term", "node"),
    [
        ("group=edge", Node(group="edge")),
        ("node=edge-canary-*", Node(id="edge-canary-7")),
        ("region=eu", Node(region="eu")),
        ("zone=eu-1a", Node(zone="eu-1a")),
        ("label.tier=can*", Node(labels={"tier": "canary"})),
        ("zone=eu-1a & label.tier=canary", Node(zone="eu-1a", labels={"tier": "canary"})),
    ],
)
def test_a_wave_chooses_by_what_the_node_says_of_itself(term: str, node: Node) -> None:
    other = Node(id="other-1", group="other", region="us", zone="us-1b", labels={"tier": "x"})

    assert (Waves(term).wave_of(node), Waves(term).wave_of(other)) == (0, 1)


def test_all_terms_of_a_wave_must_hold() -> None:
    assert Waves("zone=a & group=edge").wave_of(Node(zone="a", group="other")) == 1


def test_a_share_is_about_that_share_and_a_greater_one_has_the_smaller_in_it() -> None:
    nodes = [Node(id=f"edge-{number}") for number in range(5_000)]
    waves = Waves("10%,50%")
    counts = [sum(waves.wave_of(node) == number for node in nodes) for number in range(3)]

    assert 400 < counts[0] < 600
    assert 1_800 < counts[1] < 2_200
    assert all(Waves("20%").wave_of(node) == 0 for node in nodes if waves.wave_of(node) == 0)


@given(st.text(max_size=30), st.floats(min_value=0.01, max_value=100))
def test_a_node_is_always_in_the_same_wave(node_id: str, percent: float) -> None:
    text = f"{percent}%"

    assert Waves(text).wave_of(Node(id=node_id)) == Waves(text).wave_of(Node(id=node_id, group="other", zone="z"))
