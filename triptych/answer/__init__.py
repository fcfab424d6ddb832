"""From what every channel says to the answer: evidence, fusion, people, timeline, rationale."""
