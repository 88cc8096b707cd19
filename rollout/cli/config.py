"""`rollout config -c FILE...`: the file as it is read."""
