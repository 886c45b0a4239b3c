"""A task with groups: its state topic, what it saves and when, how its groups come back, and its session."""
