"""Networks of the words channel."""
