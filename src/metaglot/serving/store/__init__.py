"""What a server keeps: tasks, versions, examples, jobs, tokens and keys in a database, weights in folders."""
