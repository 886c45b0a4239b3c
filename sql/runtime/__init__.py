"""What generated code and functions call while records pass: values in, values out."""
