"""One cancel: one account at one vendor. An alert plans one or several of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
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

    `account` is None only where the scope reaches over all accounts. `name` is the order's id, the
    trader's own id for it, or the instrument, where the scope has one.
    """

    vendor: str
    account: str | int | None
    scope: Scope
    name: str | int | None = None
    side: str | None = None
    #: Only the orders that this user entered.
    user_id: int | None = None
    #: The order management system that the account is in, where the alert says so.
    oms_id: int | None = None

    @property
    def target(self) -> dict[str, str | int]:
        """Give the target as it stands in a reply."""
        target: dict[str, str | int]
        target = {"scope": self.scope.value} if self.name is None else {self.scope.value: self.name}
        narrowed = {"side": self.side, "user_id": self.user_id}
        return target | {name: value for name, value in narrowed.items() if value is not None}

    def within(self, account: str | int) -> Cancel:
        """Give the part of a cancel over all accounts that is in this one."""
        scope = Scope.ACCOUNT if self.scope is Scope.EVERYTHING else self.scope
        return replace(self, account=account, scope=scope)

    def words(self) -> str:
        """Say what is to be cancelled, as "MES 12-26 in Sim101"."""
        side = f" {self.side} orders" if self.side else ""
        of_user = f" of user {self.user_id}" if self.user_id is not None else ""
        if self.scope is Scope.EVERYTHING:
            narrowed = f"{side}{of_user}"
            return f"every account of {self.vendor}{',' * bool(narrowed)}{narrowed}"
        what = {
            Scope.ORDER: f"order {self.name}",
            Scope.CLIENT_ORDER: f"order with client id {self.name}",
            Scope.INSTRUMENT: f"{self.name}{side}{of_user}",
            Scope.ACCOUNT: f"all{side or ' orders'}{of_user}",
            Scope.USER: f"all{side or ' orders'}{of_user}",
        }[self.scope]
        return f"{what} in {self.account or f'every account of {self.vendor}'}"

    def encode(self) -> dict[str, Any]:
        """Give the cancel as JSON can carry it."""
        return {**asdict(self), "scope": self.scope.value}

    @classmethod
    def decode(cls, fields: dict[str, Any]) -> Cancel:
        """Read back what `encode` gave."""
        return cls(**{**fields, "scope": Scope(fields["scope"])})
