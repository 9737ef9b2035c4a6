"""The commands that speak to a relay, wherever it runs: a file each."""
