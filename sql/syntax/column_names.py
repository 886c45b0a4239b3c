"""The names of the columns of a SELECT: an alias, else the name of the expression, else the position."""

from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax import statements


def column_names(select: statements.Select) -> tuple[str, ...]:
    """What the columns of a SELECT are called; none where it has a star."""
    names = []
    for position, item in enumerate(select.items):
        if isinstance(item, statements.Star):
            return ()
        names.append(item_name(item, position).text)
    return tuple(names)


def item_name(item: statements.Item, position: int) -> statements.Name:
    """Its alias, else what its expression is called."""
    return item.alias or statements.Name(expression_name(item.expression, position), item.place)


def expression_name(expression: ex.Expression, position: int) -> str:
    """The column or field an expression hands through, else its position."""
    match expression:
        case ex.Column(name) | ex.Access(_, name):
            return name
    return f"_col{position}"
