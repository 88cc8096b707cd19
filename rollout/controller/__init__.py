"""The loop: observe, decide, act, observe."""
