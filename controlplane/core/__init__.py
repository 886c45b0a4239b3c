"""What decides: the fold, the transitions, the verdicts. Pure."""
