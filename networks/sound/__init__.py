"""Networks of the sound channel: taggers, and the comparison of tags with descriptions."""
