"""One cancel: one account at one vendor. An alert plans one or several of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Scope(StrEnum):
    """What a cancel is aimed at; the value is the field of the alert that names it."""

    ORDER = "order_id"
    CLIENT_ORDER = "client_order_id"
    INSTRUMENT = "instrument"
    ACCOUNT = "account"
    USER = "user"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Cancel:
    """What to cancel, in the vendor's own identifiers.

    `account` is None only for `Scope.EVERYTHING`. `name` is the order's id or the instrument where
    the scope has one.
    """

    vendor: str
    account: str | int | None
    scope: Scope
    name: str | int | None = None
    side: str | None = None

    @property
    def target(self) -> dict[str, str | int]:
        """Give the target as it stands in a reply."""
        target: dict[str, str | int]
        target = {"scope": self.scope.value} if self.name is None else {self.scope.value: self.name}
        return target if self.side is None else {**target, "side": self.side}

    def words(self) -> str:
        """Say what is to be cancelled, as "MES 12-26 in Sim101"."""
        side = f" {self.side} orders" if self.side else ""
        if self.scope is Scope.EVERYTHING:
            return f"every account of {self.vendor}{',' + side if side else ''}"
        what = {
            Scope.ORDER: f"order {self.name}",
            Scope.CLIENT_ORDER: f"order with client id {self.name}",
            Scope.INSTRUMENT: f"{self.name}{side}",
            Scope.ACCOUNT: f"all{side or ' orders'}",
            Scope.USER: f"all{side or ' orders'} of the user",
        }[self.scope]
        return f"{what} in {self.account}"

    def encode(self) -> dict[str, Any]:
        """Give the cancel as JSON can carry it."""
        return {
            "vendor": self.vendor,
            "account": self.account,
            "scope": self.scope.value,
            "name": self.name,
            "side": self.side,
        }

    @classmethod
    def decode(cls, fields: dict[str, Any]) -> Cancel:
        """Read back what `encode` gave."""
        return cls(**{**fields, "scope": Scope(fields["scope"])})
