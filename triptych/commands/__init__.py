"""The server's commands; the only room that may import `export` and `training`."""
