"""When a reading was stored that counts as known before: so that a replay leaves it out where live evaluation had to."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("reading", sa.Column("stored_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("reading", "stored_at")
