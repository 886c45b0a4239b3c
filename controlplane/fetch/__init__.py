"""What verdicts need from outside, asked beforehand: topics, schemas, consumer groups."""
