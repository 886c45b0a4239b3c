"""How a long statement is laid out for people."""

import pytest

from jobplane.sql.syntax.parser import parse
from jobplane.sql.syntax.render.lines import render_lines
from jobplane.sql.syntax.render.statements import render

SHORT = "CREATE JOB a AS INSERT INTO out SELECT * FROM s"
LONG = """
CREATE JOB lines
OPTIONS ('parallelism' = '2', 'onError' = 'skip')
AS INSERT INTO payments
WITH paid AS (
    SELECT *
    FROM orders
    WHERE state = 'paid and a text with many, many words in it'
),
kept AS (
    SELECT id FROM paid
)
SELECT
    customer.id AS __key,
    DATE_TRUNC('DAY', __timestamp) AS day,
    UPPER(item.sku) AS sku,
    COALESCE(item.note, 'none') AS note
FROM paid
CROSS JOIN UNNEST(items) AS item
WHERE item.sku LIKE 'a%'
UNION ALL
SELECT id, NULL, NULL, NULL
FROM (
    SELECT * FROM kept
) AS k
"""
MAPPING = """
CREATE OR REPLACE MAPPING customers EXTERNAL NAME "orders.eu" (
    id BIGINT,
    name VARCHAR,
    city VARCHAR EXTERNAL NAME "address.city"
) TYPE Kafka
OPTIONS ('valueFormat' = 'json')
"""


def test_a_short_statement_has_one_line() -> None:
    assert render_lines(parse(SHORT)) == [SHORT]


@pytest.mark.parametrize("text", [LONG, MAPPING], ids=["job", "mapping"])
def test_a_long_statement_has_a_line_a_clause(text: str) -> None:
    lines = render_lines(parse(text))
    assert render(parse("\n".join(lines))) == render(parse(text))
    assert "\n".join(["", *lines, ""]) == text
