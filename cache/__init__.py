"""What is kept beside the database, in this process and in Redis: answers, and what makes them old; documents; limits."""
