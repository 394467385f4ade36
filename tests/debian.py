"""Tests that need a Debian package: skipped by its name where it is missing, failing where it must be there (CI)."""

from __future__ import annotations

import os
import shutil

import pytest


def needs(command: str, package: str) -> pytest.MarkDecorator:
    """A mark for tests that call `command`, from Debian's `package`."""
    missing = shutil.which(command) is None
    if missing and os.environ.get("ARCHSIM_REQUIRE_DEBIAN"):
        raise RuntimeError(f"{command} is missing: apt-get install {package}")
    return pytest.mark.skipif(missing, reason=f"needs {command}: apt-get install {package}")
