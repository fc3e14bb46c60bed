"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "facts",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.Text(), nullable=False),
    )
    _tasks()
    _versions()
    _examples()
    _jobs()
    _tokens()


def downgrade() -> None:
    """Drop the tables."""
    for name in ("keys", "tokens", "jobs", "examples", "versions", "tasks", "facts"):
        op.drop_table(name)


def _tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("family", sa.String(40), nullable=False),
        sa.Column("effort", sa.String(40)),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("current", sa.Integer()),
    )
    op.create_index("tasks_of_tenant", "tasks", ["tenant", "created", "id"])


def _versions() -> None:
    op.create_table(
        "versions",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("task_id", sa.String(40), sa.ForeignKey("tasks.id", ondelete="CASCADE"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("parent", sa.Integer()),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("examples", sa.Integer(), nullable=False),
        sa.Column("expected", sa.JSON()),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.UniqueConstraint("task_id", "number"),
    )
    op.create_index("versions_of_digest", "versions", ["digest"])


def _examples() -> None:
    op.create_table(
        "examples",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("task_id", sa.String(40), sa.ForeignKey("tasks.id", ondelete="CASCADE"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
    )
    op.create_index("examples_of_version", "examples", ["task_id", "version", "position"])


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("task_id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("request", sa.JSON()),
        sa.Column("reason", sa.Text()),
        sa.Column("fault", sa.String(40)),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer()),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("started", sa.Double()),
        sa.Column("finished", sa.Double()),
    )
    op.create_index("jobs_of_state", "jobs", ["state", "created"])
    op.create_index("jobs_of_tenant", "jobs", ["tenant", "state"])
    op.create_index("ix_jobs_task_id", "jobs", ["task_id"])


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("scope", sa.String(40), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("revoked", sa.Double()),
    )
    op.create_index("ix_tokens_tenant", "tokens", ["tenant"])
    op.create_table(
        "keys",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
    )
    op.create_index("ix_keys_created", "keys", ["created"])
