"""Networks of the face channel, and of the face detector."""
