"""How many servers, how much memory and what money: from what a clip costs, by the door's rules in simulated time."""
