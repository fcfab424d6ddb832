"""What the cores can do at all with the steps as they are, and how near the service comes to it."""
