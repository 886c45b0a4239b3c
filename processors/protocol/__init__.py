"""What a worker and its task hosts say to each other, and the words for the steps and the end of a task. Pure."""
