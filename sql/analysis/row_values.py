"""`ROW(a, b) = ROW(c, d)` as the standard means it: `a = c AND b = d`, so that columns learn from what they meet."""

from jobplane.sql.syntax import expressions as ex


def compare_by_fields(tree: ex.Expression) -> ex.Expression:
    """A comparison of rows written as ROW(…) as one of their fields; any other expression as it is."""
    match tree:
        case ex.Comparison("=" | "<>" as operator, ex.RowOf() as left, ex.RowOf() as right) if _alike(left, right):
            equal = _equal(left, right)
            return ex.Not(equal, tree.place) if operator == "<>" else equal
        case ex.Distinct(ex.RowOf() as left, ex.RowOf() as right, negated) if _alike(left, right):
            pairs = zip(left.items, right.items, strict=True)
            same = ex.And(tuple(ex.Distinct(a, b, True, a.place) for a, b in pairs), tree.place)
            return same if negated else ex.Not(same, tree.place)
        case ex.In(ex.RowOf() as left, items, negated):
            rows = [item for item in items if isinstance(item, ex.RowOf) and _alike(left, item)]
            if len(rows) == len(items):
                found = ex.Or(tuple(_equal(left, right) for right in rows), tree.place)
                return ex.Not(found, tree.place) if negated else found
    return tree


def _alike(left: ex.RowOf, right: ex.RowOf) -> bool:
    return len(left.items) == len(right.items)


def _equal(left: ex.RowOf, right: ex.RowOf) -> ex.Expression:
    pairs = zip(left.items, right.items, strict=True)
    return ex.And(tuple(ex.Comparison("=", a, b, a.place) for a, b in pairs), left.place)
