"""One task of a job: from its fence to its end, exactly once."""
