"""The wheel: what people edit at the top of the repository is inside, and found from any folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LOOK = """
import json
import archsim
from archsim.common.resources import data_root, find, shipped
from archsim.explore.grid import load_spec

print(json.dumps({
    "package": archsim.__file__,
    "data": str(data_root()),
    "points": len(load_spec(find("sweep", "edge-sram", "configs/sweeps")).points()),
    "design": archsim.load_design("edge-npu").name,
    "model": archsim.load_model("llama-3-8b").name,
    "instructions": len(archsim.load_isa("rv64im", "zicsr", "zicntr", "xqt").instructions),
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (path,) = folder.glob("archsim-*-py3-none-any.whl")
    return path


def test_every_data_file_is_inside(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("archsim/data/")}
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "isa", "configs", "workloads"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    files = {f"archsim/data/{name}" for name in listed if (ROOT / name).is_file()}
    assert len(files) > 10
    assert inside == files


def test_nothing_else_is_inside(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"archsim", f"archsim-{version()}.dist-info"}
    assert not [name for name in names if "__pycache__" in name or "tests" in name.split("/")]


def test_installed_it_works_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    zipfile.ZipFile(wheel).extractall(site)
    done = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(site)},
        check=True,
        capture_output=True,
        text=True,
    )
    found = json.loads(done.stdout)
    assert found.pop("package") == str(site / "archsim" / "__init__.py")
    assert found.pop("data") == str(site / "archsim" / "data")
    assert found.pop("instructions") > 100
    assert found == {"points": 24, "design": "edge-npu", "model": "llama-3-8b"}


def test_the_command_is_installed(wheel: Path) -> None:
    (name,) = (n for n in zipfile.ZipFile(wheel).namelist() if n.endswith("entry_points.txt"))
    assert "archsim = archsim.cli.main:main" in zipfile.ZipFile(wheel).read(name).decode()


def project() -> dict[str, object]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])


def version() -> str:
    return str(project()["version"])


def test_version_is_the_packages_own() -> None:
    import archsim

    assert archsim.__version__ == version()


def test_every_dependency_says_why_and_has_a_tested_version() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    pinned = {line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    lines = [line.strip() for line in text.splitlines() if line.startswith('    "') and ">=" in line]
    assert len(lines) > 10
    for line in lines:
        assert " # " in line, line
        assert line.strip('"').split(">=")[0].lower() in pinned, line
