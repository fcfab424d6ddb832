"""Media files: what they hold, their pictures, their sound, and the limits of one request."""
