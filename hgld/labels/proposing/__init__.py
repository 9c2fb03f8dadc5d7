"""What is proposed to the reviewer of each class, with the evidence."""
