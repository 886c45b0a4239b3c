"""Where the source records of a session come from: a consumer of its own, or a fetch that tasks of the host share."""
