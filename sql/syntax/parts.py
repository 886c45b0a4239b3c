"""Names of columns that mean parts of the record: the entire key, the entire value, and all that begin with __."""

KEY, THIS = "__key", "this"


def column_refusal(name: str) -> str | None:
    """Why a column of a mapping may not have this name, or None. `__…` and `this` mean the parts of the record."""
    if name.startswith("__"):
        return f"{name}: names that begin with __ mean the parts of a record"
    if name == "this":
        return "this means the whole value; give the column another name"
    return None
