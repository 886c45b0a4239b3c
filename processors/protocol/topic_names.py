"""The names of the control topics, without the prefix of a control plane."""

COMMANDS, EVENTS, STATE, TASKS = "commands", "events", "state", "tasks"
REPORTS, CHECKPOINTS, SNAPSHOTS = "reports", "checkpoints", "snapshots"
