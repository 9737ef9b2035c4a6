"""Shapes on the wire and nothing else: what an alert, a setting and a reply look like."""
