"""Hold the stand-in brokers against their vendors' documents."""
