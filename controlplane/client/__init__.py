"""The client: sends commands, follows each to its outcome, and reads the control plane."""
