"""What `python -m tests.load` takes and refuses."""

import pytest

from tests.load.__main__ import main, parser, wishes_of


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scenario", "flood"], "invalid choice: 'flood'"),
        (["--on", "mars"], "invalid choice: 'mars'"),
        (["--rate", "0"], "expected a number of 1 to 100000, got '0'"),
        (["--seconds", "nan"], "expected a number of 1 to 3600, got 'nan'"),
        (["--envoys", "1.5"], "expected a whole number of 1 to 32, got '1.5'"),
        (["--clients", "-1"], "expected"),
    ],
)
def test_what_is_wrong_is_said_and_ends_with_2(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["load", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "envoys", "joining", "clients"), [([], 2, 4, 2000), (["--envoys", "3", "--clients", "9"], 3, 3, 9)]
)
def test_a_number_of_envoys_is_for_those_that_are_there_and_those_that_join(
    arguments: list[str], envoys: int, joining: int, clients: int
) -> None:
    wishes = wishes_of(parser().parse_args(arguments))

    assert (wishes.envoys, wishes.joining, wishes.clients) == (envoys, joining, clients)
