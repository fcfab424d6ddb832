"""Sound: mel features and audio tags."""
