"""Tests of the vendors' translations: answers in, calls out, no network."""
