"""Files of annotation tools: each is recognised by what it holds, and becomes rows of texts and answers."""
