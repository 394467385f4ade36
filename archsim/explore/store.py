"""Results under a hash of everything they depend on, in one SQLite file, each committed as soon as it is there."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from archsim.common.cachedir import cache_dir
from archsim.common.errors import InputError

FILE_NAME = "results.sqlite"
VERSION = 1


def results_folder() -> Path:
    """Where results are kept unless another folder is named."""
    return cache_dir() / "results"


def key_of(depends: dict[str, Any]) -> str:
    """The SHA-256, in hexadecimal, of a canonical JSON text: equal mappings give equal keys in whatever order.

    Args:
        depends: everything the result depends on: mappings with text keys, lists, text, finite numbers, booleans, None.

    Raises:
        TypeError, ValueError: it holds something that JSON has no form for.
    """
    text = json.dumps(depends, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class Store:
    """Results by key, in a folder. Several processes may use one store at the same time.

    Use it in a ``with`` statement, or call close(). All methods raise InputError where the disk is full, the file is
    damaged or may not be written; what was stored before stays.
    """

    def __init__(self, folder: Path) -> None:
        self.path = Path(folder) / FILE_NAME
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(self.path, timeout=60, isolation_level=None)
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise self._refusal(error) from None

    def _prepare(self) -> None:
        version = int(self.connection.execute("PRAGMA user_version").fetchone()[0])
        if version not in (0, VERSION):
            raise InputError(
                f"is a result store of version {version}, not {VERSION}", file=self.path, remedy="choose another folder"
            )
        # a reader never waits for the writer, and a killed process leaves whole transactions
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        if version == 0:
            self.connection.execute(f"PRAGMA user_version = {VERSION}")

    def get(self, key: str) -> Any:
        """The value stored under a key, or None."""
        try:
            row = self.connection.execute("SELECT value FROM results WHERE key = ?", (key,)).fetchone()
            return None if row is None else json.loads(row[0])
        except (sqlite3.Error, ValueError) as error:
            raise self._refusal(error) from None

    def put(self, key: str, value: Any) -> None:
        """Store a JSON-able value, replacing an older one; committed when this returns."""
        text = json.dumps(value)
        try:
            self.connection.execute("INSERT OR REPLACE INTO results VALUES (?, ?)", (key, text))
        except sqlite3.Error as error:
            raise self._refusal(error) from None

    def __len__(self) -> int:
        try:
            return int(self.connection.execute("SELECT count(*) FROM results").fetchone()[0])
        except sqlite3.Error as error:
            raise self._refusal(error) from None

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _refusal(self, error: Exception) -> InputError:
        """One line for what SQLite or the file system said."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if isinstance(error, OSError):
            reason, remedy = f"cannot be opened: {error.strerror}", "choose a folder you may write"
        elif code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            reason = f"cannot be written: {error}"
            remedy = "free some disk space and start again: what is finished is kept"
        elif code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or isinstance(error, ValueError):
            reason, remedy = f"is damaged or no result store: {error}", "move it away, or choose another folder"
        elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            reason, remedy = "is kept busy by another process", "wait for it, or choose another folder"
        else:
            reason, remedy = f"cannot be used: {error}", "choose a folder you may write"
        return InputError(f"result store {reason}", file=self.path, remedy=remedy)
