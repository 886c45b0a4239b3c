"""The client: it sends commands, follows each to its outcome, and reads the control plane."""
