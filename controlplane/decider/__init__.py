"""The one writer of events: it fetches facts, decides, and writes in transactions."""
