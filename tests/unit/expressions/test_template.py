from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from flowscope.errors import BudgetExceeded, ExpressionSyntaxError, Problem, UnknownName
from flowscope.expressions import JSON, Budget, MappingScope, check, compile_template, evaluate

SCOPE = MappingScope(
    {"o": {"b": [1, 2.0], "a": "é"}, "n": None, "t": True, "f": 0.1, "i": 5.0, "s": "x", "e": [], "secrets": {"K": 1}}
)


def render(value: JSON) -> JSON:
    return evaluate(compile_template(value), SCOPE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("{{ o.b }}", [1, 2.0]),
        ("  {{ o.b }}\t", [1, 2.0]),
        ("{{ o.b }}\n", "[1,2.0]\n"),
        ("{{ n }}", None),
        ("<{{ n }}>", "<>"),
        ("<{{ t }}>", "<true>"),
        ("<{{ f }} {{ i }} {{ i / 2 }}>", "<0.1 5 2.5>"),
        ("<{{ o }}>", '<{"b":[1,2.0],"a":"é"}>'),
        ("{{ s }}{{ s }}", "xx"),
        ("{{ s }} {{ s }}", "x x"),
        (r"\{{ s }}", "{{ s }}"),
        (r"a\\{{ s }}", r"a\x"),
        (r"\{{ s }} {{ s }}", "{{ s }} x"),
        ("{{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
        ("{{ '}}' }}!", "}}!"),
        ("{ {s} }", "{ {s} }"),
        ("}}", "}}"),
    ],
)
def test_text(text: str, expected: JSON) -> None:
    assert render(text) == expected


def test_a_tree_is_worked_out_in_place() -> None:
    fixed: JSON = {"kept": [1, 2]}
    value: JSON = {"a": ["{{ s }}", 1], "fixed": fixed, "{{ s }}": "keys stay"}
    result = render(value)
    assert result == {"a": ["x", 1], "fixed": {"kept": [1, 2]}, "{{ s }}": "keys stay"}
    assert value == {"a": ["{{ s }}", 1], "fixed": fixed, "{{ s }}": "keys stay"}
    assert isinstance(result, dict) and result["fixed"] is fixed


def test_static() -> None:
    value: JSON = {"a": [1, None, "x"]}
    template = compile_template(value)
    assert template.is_static
    assert evaluate(template, SCOPE) is value
    assert not compile_template({"a": "{{ s }}"}).is_static


def test_names_and_secrets() -> None:
    template = compile_template({"a": "{{ $json.x + node-1.y }}", "b": "{{ [k for k in list] }} {{ secrets.KEY }}"})
    assert {"json", "node-1", "list", "secrets"} <= template.names
    assert "k" not in template.names
    assert template.secrets == {"KEY"}
    assert compile_template("{{ secrets[json.k] }}").secrets == {"*"}
    assert compile_template("{{ secrets }}").secrets == {"*"}
    assert compile_template("{{ upper(secrets.A) }}").secrets == {"A"}
    assert compile_template("{{ x.map(secrets => secrets.A) }}").secrets == frozenset()


def test_check_names_every_place() -> None:
    problems = check({"a": "{{ 1 + }}", "b": [{"c": "{{ ( }}"}], "d": "{{ ok }}", "e": "{{ open"}, "nodes[3].config")
    assert [problem.place for problem in problems] == [
        "nodes[3].config.a",
        "nodes[3].config.b[0].c",
        "nodes[3].config.e",
    ]
    assert all(isinstance(problem, Problem) and problem.message for problem in problems)
    assert check("{{ ok }}") == []


def test_problems_are_capped() -> None:
    many: list[JSON] = ["{{ ( }}"] * 1_000
    assert len(check(many)) == 100


def test_errors_name_the_place() -> None:
    template = compile_template({"a": ["{{ nowhere }}"]}, place="config")
    with pytest.raises(UnknownName, match=r"config\.a\[0\]"):
        evaluate(template, SCOPE)
    with pytest.raises(ExpressionSyntaxError):
        compile_template("{{ 1 + }}")


@pytest.mark.parametrize(
    ("source", "budget"),
    [
        ("[x for x in range(50)]", Budget(steps=40)),
        ("'a'.repeat(100)", Budget(size=99)),
        ("[[[[1]]]]", Budget(depth=3)),
        ("[x for x in o.b.concat(o.b, o.b)]", Budget(size=60)),
    ],
)
def test_budget(source: str, budget: Budget) -> None:
    template = compile_template("{{ " + source + " }}")
    evaluate(template, SCOPE)
    with pytest.raises(BudgetExceeded):
        evaluate(template, SCOPE, budget)


def test_the_budget_is_for_the_whole_template() -> None:
    template = compile_template(["{{ range(30) }}"] * 30)
    evaluate(template, SCOPE)
    with pytest.raises(BudgetExceeded):
        evaluate(template, SCOPE, Budget(steps=500))


def test_the_clock_ends_an_evaluation() -> None:
    moments = iter([0.0, 0.5, 1.5])
    with pytest.raises(BudgetExceeded, match="longer than 1 s"):
        evaluate(compile_template("{{ range(5000).map(x => x) }}"), SCOPE, clock=lambda: next(moments))


def test_now_is_told() -> None:
    template = compile_template("{{ now() }}")
    assert evaluate(template, SCOPE, now=1_767_225_600_123) == "2026-01-01T00:00:00.123Z"


def test_one_template_in_many_threads() -> None:
    template = compile_template("{{ range(n).map(x => range(x).sum()).sum() }}")

    def work(n: int) -> JSON:
        return evaluate(template, MappingScope({"n": n}))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(60))) == [work(n) for n in range(60)]
