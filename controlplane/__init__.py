"""The control plane: it judges commands, folds events into state, and places the tasks of jobs on workers."""
