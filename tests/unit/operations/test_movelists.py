"""Lists of moves as people write them."""

import pytest

from xds.errors import RequestError
from xds.operations.movelists import read_moves

MOVES = {"acme": "cell-a", "globex": "cell-b"}


@pytest.mark.parametrize(
    "text",
    [
        "tenant,cell\nacme,cell-a\nglobex, cell-b\n\n",
        'Tenant,CELL\r\n"acme","cell-a"\r\nglobex,cell-b',
        '[{"tenant": "acme", "cell": "cell-a"}, {"tenant": "globex", "cell": "cell-b"}]',
        '{"data": [{"tenant": "acme", "cell": "cell-a", "more": 1}, {"tenant": "globex", "cell": "cell-b"}]}',
        ' {"acme": "cell-a", "globex": "cell-b"}',
    ],
)
def test_every_form_says_the_same(text: str) -> None:
    assert read_moves(text) == MOVES


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: expected CSV with the header 'tenant,cell'"),
        ("acme,cell-a", "line 1: expected CSV with the header"),
        ("tenant,cell", "no moves: expected CSV"),
        ("tenant,cell\nacme", "line 2: expected a tenant and a cell, got '' and 'acme'"),
        ("tenant,cell\nacme,", "line 2: expected a tenant and a cell, got 'acme' and ''"),
        ("tenant,cell\nacme,cell-a\nacme,cell-b", "line 3: tenant: expected each once, got 'acme' again"),
        ('tenant,cell\n"acme,cell-a', "line 2: expected CSV"),
        ("[1]", "line 1: expected a tenant and a cell, got '' and '1'"),
        ('[{"tenant": 1, "cell": "cell-a"}]', "line 1: expected a tenant and a cell"),
        ("[", "or JSON"),
        ("{}", "no moves"),
    ],
)
def test_nonsense_is_told_by_line(text: str, words: str) -> None:
    with pytest.raises(RequestError) as refusal:
        read_moves(text)
    assert words in str(refusal.value)
