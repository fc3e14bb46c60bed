"""How many bytes a version has: 0 for those from before, which a server counts when it begins."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column."""
    op.add_column("versions", sa.Column("bytes", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Remove the column."""
    with op.batch_alter_table("versions") as table:
        table.drop_column("bytes")
