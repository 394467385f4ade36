"""Pages of documentation do what they say: their examples are run, and their results compared."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_examples_of_a_page_give_what_stands_there(page: str) -> None:
    # a page shows Python between fences, which are no part of it
    text = "\n".join("" if line.startswith("```") else line for line in (DOCS / page).read_text().splitlines())
    examples = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
    output: list[str] = []
    result = doctest.DocTestRunner().run(examples, out=output.append)
    assert result.attempted > 0
    assert result.failed == 0, "".join(output)
