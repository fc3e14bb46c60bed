"""What a file was recognised as, kept in the schema of its table for those who show it."""

import json
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

_KEY = b"metaglot.form"


class Form(NamedTuple):
    """The form of a file."""

    name: str = ""  # "csv with semicolons", "Label Studio"
    columns: tuple[str, ...] = ()  # all that the file has, by name
    answers: bool = False  # a label is the answer of a person, and a row without one was skipped or is in doubt


def with_form(table: pa.Table, form: Form) -> pa.Table:
    """Return the table with the form of its file."""
    metadata = dict(table.schema.metadata or {})
    return table.replace_schema_metadata({**metadata, _KEY: json.dumps(form).encode()})


def form_of(table: pa.Table) -> Form:
    """Return the form of the file that a table was read from."""
    noted = (table.schema.metadata or {}).get(_KEY)
    if noted is None:
        return Form()
    name, columns, answers = json.loads(noted)
    return Form(name, tuple(columns), answers)


def answered(table: pa.Table) -> pa.Table:
    """Return the rows that have a label, where labels are answers of people; of other files all rows.

    A row that was skipped, rejected or is in doubt is no example; in a table that a user wrote it is a slip.
    """
    if not form_of(table).answers or "label" not in table.column_names:
        return table
    return table.filter(table["label"].is_valid())


def common_form(tables: Sequence[pa.Table]) -> Form:
    """Return the form of several files that are one set."""
    forms = [form_of(table) for table in tables]
    names = dict.fromkeys(form.name for form in forms)
    columns = dict.fromkeys(column for form in forms for column in form.columns)
    return Form("; ".join(names), tuple(columns), any(form.answers for form in forms))
