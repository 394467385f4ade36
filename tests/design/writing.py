"""Small design files for tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.common.errors import InputError
from archsim.design import load_design


def write(folder: Path, text: str, name: str = "mine") -> Path:
    """A design file NAME.yaml on top of edge-npu, with `text` from its third line on."""
    path = folder / f"{name}.yaml"
    path.write_text(f"design: {name}\nbase: edge-npu\n{text}", encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    """The whole message with which a design is refused, its path written FILE."""
    with pytest.raises(InputError) as caught:
        load_design(path)
    return str(caught.value).replace(str(path), "FILE")
