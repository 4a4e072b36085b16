"""What a person does with the labels that a run suspects: see them, judge them, correct them, count them."""
