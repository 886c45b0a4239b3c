"""The rooms of the demonstration: the plane it starts, the shop that sells, the proof at the end, what is shown."""
