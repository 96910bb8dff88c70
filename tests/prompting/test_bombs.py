"""Templates made to hang, to fill the memory, or to bring Python down: each is a clear error with file and line."""

from pathlib import Path

import pytest

from llmrank.errors import InputError
from llmrank.prompting import check_file
from llmrank.prompting.environment import Environment
from llmrank.prompting.front import read_front

from .cases import FRONT, listed, shown, template

ALIASES = "a: &a0 [x, x]\n" + "".join(f"b{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 30))


@pytest.mark.parametrize(
    ("yaml", "line", "words"),
    [
        (ALIASES, 7, "aliases|an alias"),
        ("provenance: &self {note: *self}\n", 6, "an alias"),
        ('history: !!int "abc"\n', 6, "cannot be read"),
        ("description: !!timestamp 2026-13-45\n", 6, "cannot be read"),
        ("description: " + "[" * 5000 + "]" * 5000 + "\n", 6, "levels deep"),
        ("description: " + "{a: " * 5000 + "}" * 5000 + "\n", 6, "levels deep"),
        ("history: " + "9" * 5000 + "\n", 6, "cannot be read"),
        ("description: !!python/object/apply:os.system [ls]\n", 6, "could not determine a constructor"),
        ("x: " + "y" * 1_000_001 + "\n", None, "longer than"),
    ],
)
def test_a_front_matter_that_would_blow_up(yaml: str, line: int | None, words: str):
    with pytest.raises(InputError, match=words) as caught:
        read_front(FRONT + yaml, Path("mine.jinja"))
    assert (caught.value.path, caught.value.line) == (Path("mine.jinja"), line)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{{ 'a' * 10 ** 10 }}", "bits|longer than"),
        ("{{ 'a' * 10000000000 }}", "longer than"),
        ("{{ 10 ** (10 ** 10) }}", "bits"),
        ("{{ range(10 ** 9) | list }}", "range|more than"),
        ("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", "steps"),
        ("{% for a in range(99999) %}{{ 'x' * 99999 }}{% endfor %}", "steps|longer"),
        ("{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(40) }}", "steps"),
        (
            "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
            "longer",
        ),
        (
            "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
            "longer",
        ),
        ("{% set l = [1] %}{% for i in range(99) %}{% set _ = l.extend(l) %}{% endfor %}", "elements"),
        ("{{ '%1000000000d' % 1 }}", "width"),
        ("{{ '%1000000000d' | format(1) }}", "width"),
        ("{{ '{:>1000000000}'.format(1) }}", "unsafe"),
        ("{{ 'a'.ljust(10000000000) }}", "unsafe|more than"),
        ("{{ 'a' | batch(10000000000, 'x') | list }}", "is more than"),
        ("{{ ('a' * 99999).replace('a', 'b' * 99999) }}", "longer than"),
        ("{{ (['a' * 99999] * 99999) | join }}", "longer than"),
        ("{{ [[1] * 99999] | sum(start=[]) }}", "accepts only numbers"),
        ("{{ ['a' * 99999] * 99999 }}", "longer than"),
        ("{{ (['a' * 99999] * 99999) | upper }}", "longer than"),
        ("{{ (['a' * 99999] * 99999) | tojson }}", "longer than"),
        ("{{ ([[1]] * 9999) | tojson(indent=99999) }}", "longer than"),
        ("{{ '%s' % [['a' * 99999] * 99999] }}", "longer than"),
        ("{{ '%s' | format(['a' * 99999] * 99999) }}", "longer than"),
        (
            "{% set ns = namespace(a='') %}{% for i in range(99) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a }}",
            "longer",
        ),
        (
            "{% set x = [] %}{% set _ = x.append(x) %}{% for a in x recursive %}{{ loop(x) }}{% endfor %}",
            "steps|end",
        ),
    ],
)
def test_a_rendering_that_would_not_end(body: str, words: str):
    with pytest.raises(InputError, match=words) as caught:
        shown(body, listed())
    # A text that is too long only as a whole is that of its block, which begins on line 7.
    assert caught.value.path == Path("mine.jinja") and caught.value.line in (7, 8)


@pytest.mark.parametrize(
    "body",
    [
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{% if n %}" * 5000 + "{% endif %}" * 5000,
        "{{ " + "not " * 5000 + "n }}",
        "{% for a in history %}" * 30 + "{% endfor %}" * 30,
    ],
)
def test_what_is_nested_too_deeply(body: str):
    with pytest.raises(InputError, match="nested too deeply") as caught:
        template(body)
    assert caught.value.line == 8


def test_the_work_of_a_block_is_counted_and_grows_with_the_candidates():
    body = "{% for item in candidates %}{{ item.title | upper }}{{ loop.length }} {% endfor %}"

    def steps(candidates: int) -> int:
        made, case = template(body), listed(candidates=candidates)
        made.render(case, made.question(case))
        environment = made.blocks["user"].environment
        assert isinstance(environment, Environment)
        return environment.steps

    assert 0 < steps(200) == 2 * steps(100) == 20 * steps(10)


def test_a_bomb_in_a_file_is_a_problem_of_it(tmp_path: Path):
    path = tmp_path / "mine.jinja"
    path.write_text(f"---\n{FRONT}---\n{{% block user %}}\n{{{{ 'a' * 10 ** 10 }}}}\n{{% endblock %}}\n")
    [problem] = check_file(path)
    assert (problem.line, "user" in problem.problem) == (8, True)
