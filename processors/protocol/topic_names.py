"""The names of the control topics, without the prefix of a control plane, and what the records of some may take."""

COMMANDS, EVENTS, STATE, TASKS = "commands", "events", "state", "tasks"
REPORTS, CHECKPOINTS, SNAPSHOTS = "reports", "checkpoints", "snapshots"
MAX_STATE_BYTES = 8 * 1024 * 1024
"""Of a record with state: a chunk of groups, or a checkpoint that names the chunks of many open windows."""
