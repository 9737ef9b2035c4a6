"""End to end, on one relay a file: starting gunicorn for every test would take the minutes that they save."""
