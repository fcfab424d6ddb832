"""Recipe of the sound channel: the constants of the tag comparison."""
