"""Grading homework: an assignment, many submissions, marks and feedback for each, and a summary of all."""
