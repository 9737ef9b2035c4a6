"""Heroku on one machine: a slug, dynos with the buildpack's variables, the router, a Key-Value Store."""
