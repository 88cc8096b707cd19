"""A Compose file becomes a Stack."""
