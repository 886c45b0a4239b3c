"""The functions of the language: one typed Python function each. Importing this package registers all of them."""

from sql.functions import arrays as arrays
from sql.functions import binary as binary
from sql.functions import documents as documents
from sql.functions import masking as masking
from sql.functions import numbers as numbers
from sql.functions import patterns as patterns
from sql.functions import real_numbers as real_numbers
from sql.functions import temporal as temporal
from sql.functions import temporal_conversions as temporal_conversions
from sql.functions import temporal_fields as temporal_fields
from sql.functions import text as text
from sql.functions import urls as urls
from sql.functions.signature import FUNCTIONS, NOT_OFFERED

__all__ = ["FUNCTIONS", "NOT_OFFERED"]
