"""A page in the browser on which examples teach a model a task; needs the extra `playground`."""
