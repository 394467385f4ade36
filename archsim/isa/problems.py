"""What is wrong with extension files: raised at once, or gathered for a report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from archsim.common.errors import InputError


@dataclass
class Problems:
    """Takes errors as they arise.

    Attributes:
        strict: raise the first one (loading); if not, go on without what it concerns (lint).
        found: (rule, error) of those that were not raised.
    """

    strict: bool = True
    found: list[tuple[str, InputError]] = field(default_factory=list)

    @contextmanager
    def caught(self, rule: str = "load") -> Iterator[None]:
        """Let an InputError of the block be raised or noted under a rule's name."""
        try:
            yield
        except InputError as error:
            if self.strict:
                raise
            self.found.append((rule, error))
