"""What HTTP says, whoever answers: requests, answers, media types, validators, errors."""
