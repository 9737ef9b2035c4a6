"""What the commands that speak to a relay are given: its address, and a secret it knows."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError

from schemas.settings import RelayUrl, Secrets


class FirstSecret(Secrets):
    """The first of the secrets: the one that new alerts carry."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...]:  # noqa: ANN401 - marshmallow's
        first = super()._deserialize(value, attr, data, **kwargs)[:1]
        if not first[0].isprintable():
            raise ValidationError("holds a character that no header can carry, such as a line break")
        return first


class ClientSchema(Schema):
    """The two names that such a command reads; it needs no other setting of the relay's."""

    class Meta:
        unknown = EXCLUDE

    RELAY_URL = RelayUrl(
        required=True,
        error_messages={
            "required": "is missing: set it to the relay's address, such as https://your-relay.example, "
            "or give that by --url"
        },
    )
    RELAY_SECRET = FirstSecret(
        required=True,
        error_messages={"required": "is missing: set it to the secret that alerts carry"},
    )
