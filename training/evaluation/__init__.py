"""How good the served answer is on labelled clips of a user's own."""
