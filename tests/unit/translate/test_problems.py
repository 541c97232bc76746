from xds.translate import Problem


def test_a_problem_reads_as_one_line() -> None:
    assert str(Problem("tenant", "acme", "is too loud")) == "tenant acme: is too loud"


def test_problems_are_sorted_by_kind_then_id() -> None:
    problems = [Problem("tenant", "a", "x"), Problem("cell", "b", "x"), Problem("cell", "a", "y")]

    assert [str(each) for each in sorted(problems)] == ["cell a: y", "cell b: x", "tenant a: x"]
