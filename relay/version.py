"""The relay's version, as `/healthz` and the changelog have it."""

VERSION = "0.1.0"
