"""The formats `json` and `json-flat`."""
