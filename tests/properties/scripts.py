"""What may happen to a fleet and its control plane, as Hypothesis draws it: snapshots, and steps of a script."""

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.support.builders import (
    CDS,
    ECDS,
    EDS,
    LDS,
    RDS,
    SRDS,
    Item,
    anchor,
    cluster,
    eds_cluster,
    endpoints,
    extension,
    filtered_listener,
    listener,
    route,
    scope,
)
from xds.names import TypeUrl

BAD = "bad"
"""Content that every client rejects."""

CLUSTERS = ("a", "b", "c")
TABLES = ("r", "s")
TENANTS = ("t", "u")
NAMES: dict[TypeUrl, tuple[str, ...]] = {
    CDS: CLUSTERS,
    EDS: CLUSTERS,
    LDS: ("l", "m"),
    ECDS: ("m",),
    RDS: TABLES,
    SRDS: ("-/r", "-/s", *TENANTS),
}


@dataclass(frozen=True, slots=True)
class Publish:
    """A newer snapshot comes."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Return:
    """The control plane goes back to a snapshot from before; 1: to the last but one."""

    back: int


@dataclass(frozen=True, slots=True)
class Ask:
    """The client subscribes to names, or to everything, in addition."""

    type_url: TypeUrl
    names: tuple[str, ...]
    star: bool


@dataclass(frozen=True, slots=True)
class Drop:
    """The client unsubscribes from names, or from everything."""

    type_url: TypeUrl
    names: tuple[str, ...]
    star: bool


@dataclass(frozen=True, slots=True)
class Deliver:
    """The client receives the next response, and answers it."""


@dataclass(frozen=True, slots=True)
class Read:
    """The session receives the next request."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Everything under way arrives, this many times over."""

    rounds: int


@dataclass(frozen=True, slots=True)
class Elapse:
    """Time passes until something that is held back is due."""


@dataclass(frozen=True, slots=True)
class Reconnect:
    """The stream breaks, with all that is under way on it, and the client comes back on a new one."""


Step = Publish | Return | Ask | Drop | Deliver | Read | Exchange | Elapse | Reconnect


@st.composite
def contents(draw: st.DrawFn, *, may_be_bad: bool) -> tuple[Item, ...]:
    """The resources of a snapshot that holds together."""
    content = st.sampled_from(("1", "2", BAD) if may_be_bad else ("1", "2"))
    items: list[Item] = []
    clusters = draw(st.sets(st.sampled_from(CLUSTERS)))
    for name in sorted(clusters):
        if draw(st.booleans()):
            items += [eds_cluster(name, f"eds.{draw(content)}"), endpoints(name, draw(content))]
        else:
            items.append(cluster(name, draw(content)))
    tables = draw(st.sets(st.sampled_from(TABLES)))
    for name in sorted(tables):
        named = sorted(draw(st.sets(st.sampled_from(sorted(clusters))))) if clusters else []
        items += [route(name, named, f"{draw(content)}:{','.join(named)}"), anchor(name, draw(content))]
    for name in sorted(draw(st.sets(st.sampled_from(TENANTS)))) if tables else ():
        items.append(scope(name, draw(st.sampled_from(sorted(tables))), draw(content)))
    for name in sorted(draw(st.sets(st.sampled_from(NAMES[LDS])))):
        if name in NAMES[ECDS]:
            items += [filtered_listener(name, draw(content)), extension(name, draw(content))]
        else:
            items.append(listener(name, draw(content)))
    return tuple(items)


@st.composite
def subscriptions(draw: st.DrawFn, kind: type[Ask] | type[Drop]) -> Ask | Drop:
    """A change of what the client asks for."""
    type_url = draw(st.sampled_from(tuple(TypeUrl)))
    names = tuple(sorted(draw(st.sets(st.sampled_from(NAMES[type_url]), max_size=2))))
    return kind(type_url, names, draw(st.booleans()))


def scripts(*, follows: bool, may_elapse: bool = True) -> st.SearchStrategy[list[Step]]:
    """A first snapshot that all is settled for, and then steps in any order."""
    publish = contents(may_be_bad=True).map(Publish)
    step: list[st.SearchStrategy[Step]] = [
        publish,
        publish,
        st.integers(1, 2).map(Return),
        st.just(Deliver()),
        st.just(Read()),
        st.integers(1, 3).map(Exchange),
    ]
    if not follows:
        step += [subscriptions(Ask), subscriptions(Drop)]
    if may_elapse:
        step.append(st.just(Elapse()))
    rare = [*step, st.just(Reconnect())]
    first = contents(may_be_bad=False).map(Publish)
    begin = [] if follows else [subscriptions(Ask)] * 3
    starts = st.tuples(first, *begin, st.just(Exchange(9)))
    return st.builds(lambda start, steps: [*start, *steps], starts, st.lists(st.one_of(rare), min_size=4, max_size=30))
