"""Progress of a rollout: plain lines, JSON lines, or a live view."""
