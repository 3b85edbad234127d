"""A table of jobs without any: what a child of an older version would be told of a newer one's types."""

JOBS: dict[str, str] = {}
