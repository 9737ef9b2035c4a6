"""The web process: `gunicorn app:app`."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping

from flask import Flask

from relay import log, receive
from relay.compose import compose
from relay.errors import SettingsError
from relay.pipeline import Pipeline
from relay.settings import Settings
from relay.web import alerts, health


def create_app(environ: Mapping[str, str]) -> Flask:
    """Make the application; raise `SettingsError` when it must not start.

    Starts no thread and opens no socket: gunicorn forks around it, and its hook after the fork
    (`gunicorn.conf.py`) starts the worker's thread.
    """
    settings = Settings.read(environ)
    relay = compose(settings)
    pipeline = Pipeline(settings, relay.ledger, relay.lanes, relay.lines, relay.scrubber)
    app = Flask("relay", static_folder=None)
    app.extensions["relay"] = relay
    receive.mark_requests(app, trusted_proxies=settings.trusted_proxies)
    receive.answer_errors(app)
    app.register_blueprint(receive.blueprint(pipeline))
    app.register_blueprint(alerts.blueprint(pipeline, relay.ledger, relay.scrubber))
    app.register_blueprint(health.blueprint(relay.ledger, relay.worker))
    for warning in settings.warnings:
        log.say("settings_warning", {"warning": warning}, logging.WARNING)
    return app


def __getattr__(name: str) -> Flask:
    """Make `app` when a server asks for it, so that importing this file alone starts nothing."""
    if name != "app":
        raise AttributeError(name)
    try:
        application = create_app(os.environ)
    except SettingsError as failure:
        sys.stderr.write(failure.report() + "\n")
        sys.exit(2)
    globals()["app"] = application
    return application
