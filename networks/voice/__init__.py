"""Networks of the voice channel."""
