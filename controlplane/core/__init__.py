"""The pure rules of the control plane: decide, fold, reconcile, and the transitions of a job. Nothing here does I/O."""
