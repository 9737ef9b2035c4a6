"""What stands beside the webhook: records, health."""
