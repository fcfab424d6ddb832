"""The one door in front of the graph: who is let in, who must wait, who is refused, and what became of whom."""
