-- The gateway: answers kept for the same question.
SELECT;
