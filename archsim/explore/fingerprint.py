"""What a point's result depends on: its settings, archsim's own source and data, and the user's files it names."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import archsim
from archsim.common.errors import InputError
from archsim.common.resources import data_root
from archsim.common.yamlfile import load_yaml
from archsim.explore.store import key_of
from archsim.models.onnx.file import external_files, is_onnx
from archsim.models.weight_plan import PREFIX

_PACKAGES = ("common", "formats", "isa", "design", "machine", "models", "kernels", "mapping")
_DATA = ("isa", "configs/designs", "configs/energy", "configs/memory", "workloads/models")


class Fingerprint:
    """Keys of points; hashes archsim's source and data once, when it is made.

    Too much rather than too little goes in: a change of any shipped design gives every point a new key, and no stored
    result is ever a stale one.

    Attributes:
        source: digest of the packages that a simulation runs.
        data: digest of what ships, and of files in the current folder that come before it by their name.
    """

    def __init__(self) -> None:
        package = Path(archsim.__file__).parent
        source = [path for name in _PACKAGES for path in (package / name).rglob("*.py")]
        data = [path for name in _DATA for path in (data_root() / name).rglob("*") if path.is_file()]
        before = {path.name for path in data if Path(path.name).is_file()}
        self.source = _digest(source, package)
        self.data = _digest(data, data_root()) + _digest(map(Path, before), Path())

    def key(self, point: dict[str, Any], evaluate: Callable[..., Any]) -> str:
        """The key under which the result of ``evaluate(point)`` is stored."""
        module = inspect.getsourcefile(evaluate)
        files = {str(path): _digest([path], path.parent) for path in _named_files(point.values(), (Path(),), set())}
        return key_of(
            {
                "point": point,
                "evaluate": f"{evaluate.__module__}.{evaluate.__qualname__}",
                "module": _digest([Path(module)], Path(module).parent) if module else "",
                "source": self.source,
                "data": self.data,
                "files": files,
            }
        )


def _digest(paths: Iterable[Path], root: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(paths):
        with path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        total.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
    return total.hexdigest()


def _named_files(values: Iterable[Any], folders: tuple[Path, ...], seen: set[Path]) -> Iterator[Path]:
    """The user's files that text among `values` names (a path, or NAME of NAME.yaml), and those these name in turn."""
    for text in _texts(values):
        for path in _candidates(text, folders):
            if path in seen or not path.is_file():
                continue
            seen.add(path)
            yield path
            if is_onnx(path.name):
                yield from external_files(path)
            if path.suffix in (".yaml", ".yml"):
                yield from _named_files(_content(path), (Path(), path.parent), seen)


def _content(path: Path) -> list[Any]:
    try:
        return [load_yaml(path)]
    except InputError:
        return []  # whoever uses the file says what is wrong with it


def _candidates(text: str, folders: tuple[Path, ...]) -> Iterator[Path]:
    text = text.removeprefix(PREFIX)
    # no name of a file is longer, or holds a line break or NUL
    if not text or len(text) > 255 or "\n" in text or "\0" in text:
        return
    for folder in folders:
        for name in (text, f"{text}.yaml", f"{text}.json", f"{text}/config.json"):
            yield folder / name


def _texts(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from _texts(value.values())
        elif isinstance(value, list):
            yield from _texts(value)
