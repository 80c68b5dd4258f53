"""Columns that hold the member of an enumeration."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from sqlalchemy import String, TypeDecorator

from sweep.errors import StoreError

E = TypeVar("E", bound=StrEnum)


class Stored(TypeDecorator[E]):
    """A member of an enumeration, stored as its text."""

    impl = String(16)
    cache_ok = True

    def __init__(self, kind: type[E]) -> None:
        super().__init__()
        self.kind = kind
        self._members = {member.value: member for member in kind}

    def process_bind_param(self, value: str | None, _dialect: object) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, _dialect: object) -> E | None:
        if value is None:
            return None
        if value not in self._members:
            raise StoreError(
                f"the database holds the unknown {self.kind.__name__} {value!r}; it is damaged or "
                "was edited by hand"
            )
        return self._members[value]
