"""What SHOW FUNCTIONS lists: operators and forms of the grammar, then the functions, each as its signature tells."""

from sql.functions import FUNCTIONS
from sql.operators import FORMS, OPERATORS


def listed() -> list[tuple[str, str, str, str]]:
    """(name, signature, meaning, package) of all that an expression may call upon; the language's own has none."""
    forms = [(*one, "") for one in (*OPERATORS, *FORMS)]
    functions = [one for name in sorted(FUNCTIONS) for one in FUNCTIONS[name]]
    return [*forms, *((one.name, one.signature, one.summary, str(one.package or "")) for one in functions)]
