"""docs/analysis.md: every example gives what it says, and no function is missing."""

import ast
import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "analysis.md").read_text()
EXPLAINED = (
    *("chunks", "cost", "dunnett", "effects", "moderation", "multiplicity", "noise", "normality"),
    *("correlation", "power", "spread", "steps", "verdict"),
    *("variance/anova", "variance/estimate", "variance/factorial", "variance/streams"),
)
INSIDE = {
    "moments",
    "welch_precision",
    "sign_flip_ps",
    "trigamma_inverse",
    "safe_df",
    "chi_square_interval",
    "visible_shift",
    "judge_once",
    "judge_comparisons",
    "race_standing",
}
"""Functions that only other modules of the package call."""


def test_every_example_of_the_page_gives_what_it_says() -> None:
    # Fences would be taken for output: only what stands between them is run, in one namespace.
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    example = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "analysis.md", None, 0)
    said: list[str] = []
    outcome = doctest.DocTestRunner(verbose=False).run(example, out=said.append)
    assert outcome.attempted > 40
    assert outcome.failed == 0, "".join(said)


@pytest.mark.parametrize("module", EXPLAINED)
def test_every_function_of_a_module_has_an_example(module: str) -> None:
    tree = ast.parse((ROOT / "analysis" / f"{module}.py").read_text())
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    public = {name for name in functions if not name.startswith("_")} - INSIDE
    assert {name for name in public if f"{name}(" not in PAGE} == set()
