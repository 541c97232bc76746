"""Resources as plain values, and back."""

from hypothesis import given

from tests.support.builders import EDS, RDS, SRDS, item, ref
from tests.support.edge import GROUP, cell, edge_options, tenant, topologies, topology
from tests.support.translations import full
from xds.model import Topology
from xds.names import NodeGroup, ResourceName, TypeUrl
from xds.snapshot import SHARED, Content, FlatResource, Place, encode_resource, flatten, gather, place_of, unflatten
from xds.translate import translate


def everything(of: Content) -> dict[Place, tuple[object, ...]]:
    """All that a resource is."""
    return {
        place: (each.name, each.version, each.body, each.needs, each.awaits, each.ttl) for place, each in of.items()
    }


@given(topologies())
def test_a_content_is_gathered_again_from_its_flat_resources(of: Topology) -> None:
    made = full(of).content
    flats = [flatten(place, resource) for place, resource in made.items()]
    again = gather(reversed(flats), groups=made.groups, apart=made.apart)

    assert everything(again) == everything(made)
    assert (again.digest, again.groups, again.apart) == (made.digest, made.groups, made.apart)


def test_a_resource_is_the_same_again_with_its_references_and_its_ttl() -> None:
    resource = encode_resource(
        ResourceName("a name"),
        b"\0\xff",
        needs=(ref(RDS, "r one"), ref(RDS, "r")),
        awaits=(ref(EDS, ""),),
        ttl=30,
    )
    place = Place(NodeGroup("g"), SRDS, resource.name)
    flat = flatten(place, resource)
    again_at, again = unflatten(flat)

    assert flat == FlatResource(
        "g", "srds", "a name", resource.version, b"\0\xff", ["rds r one", "rds r"], ["eds "], 30
    )
    assert (again_at, again.name, again.version, again.body) == (place, "a name", resource.version, b"\0\xff")
    assert (again.needs, again.awaits, again.ttl) == (resource.needs, resource.awaits, 30)


def test_every_type_has_a_place_by_its_label() -> None:
    for type_url in TypeUrl:
        resource = item(type_url, "x").resource
        assert place_of("", type_url.label, "x") == Place(SHARED, type_url, resource.name)


def test_a_group_without_resources_of_its_own_is_there_all_the_same() -> None:
    made = translate(topology(cell(), tenant()), edge_options()).content
    shared = [flatten(place, resource) for place, resource in made.items() if place.group == SHARED]

    assert gather(shared).groups == ()
    again = gather(shared, groups=[GROUP])
    assert again.groups == (GROUP,)
    assert set(again.tables[SHARED]) == set(TypeUrl)
