"""Hooks alone: what decides how the relay is served stands on the Procfile's line."""

from __future__ import annotations

import logging
import os
import resource
import sys
from typing import TYPE_CHECKING

from relay.errors import SettingsError
from relay.settings import Settings
from relay.threads import filled

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker


def _without_the_request(record: logging.LogRecord) -> bool:
    """Keep out of the log what gunicorn could not parse: it may be a body, with the secret in it."""
    said = record.getMessage()
    if said.startswith("Invalid request"):
        record.msg, record.args = said.partition(":")[0], ()
    return True


def on_starting(server: Arbiter) -> None:
    """Refuse to start with mistakes in the settings: a worker that fails would be started for ever."""
    logging.getLogger("gunicorn.error").addFilter(_without_the_request)
    try:
        settings = Settings.read(os.environ)
    except SettingsError as failure:
        sys.stderr.write(failure.report() + "\n")
        sys.exit(2)
    # What stands on the line is for a machine that counts no threads.
    server.cfg.set("threads", min(server.cfg.threads, settings.room.requests))
    # Each kept-alive connection is a file, and gunicorn's worker dies when it cannot open one more.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def post_worker_init(worker: Worker) -> None:
    """Start what answers requests, then the relay's own threads: one dyno does all of it."""
    # gunicorn starts them one by one as requests come, and a process that cannot start one more dies with all
    # that it has in hand.
    worker.tpool.shutdown(wait=False)
    worker.tpool = filled(worker.cfg.threads, "request")
    worker.wsgi.extensions["relay"].start()


def worker_exit(_server: Arbiter, worker: Worker) -> None:
    """Let what runs come to the end of its visit; what is due later is someone else's."""
    application = getattr(worker, "wsgi", None)
    if application is not None:
        application.extensions["relay"].stop()
