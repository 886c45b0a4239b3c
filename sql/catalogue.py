"""What SHOW FUNCTIONS lists: operators and forms of the grammar, then the functions, each as its signature tells."""

from sql.functions import FUNCTIONS
from sql.operators import FORMS, OPERATORS


def listed() -> list[tuple[str, str, str]]:
    """(name, signature, meaning) of all that an expression may call upon."""
    of_functions = [(one.name, one.signature, one.summary) for name in sorted(FUNCTIONS) for one in FUNCTIONS[name]]
    return [*OPERATORS, *FORMS, *of_functions]
