"""What all tables share."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: SQLite numbers rows by itself only for INTEGER keys, which hold 64 bits there anyway.
Serial = BigInteger().with_variant(Integer(), "sqlite")

#: Marks a column that holds what is encrypted: all of those are encrypted anew when the key is rotated.
SEALED = {"sealed": True}
