"""The worker: Faust agents, task hosts, and what each host must run."""
