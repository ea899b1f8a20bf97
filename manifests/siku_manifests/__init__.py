"""What a dataset is, how it was made, and the proof that it can be made again."""
