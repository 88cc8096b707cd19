"""The decision: pure functions from what was asked for and what is seen to what to do next."""
