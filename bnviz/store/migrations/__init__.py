"""Steps from one form of the database to the next, in order; Alembic runs those that are missing at opening."""
