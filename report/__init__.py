"""Pictures and pages of a run, from its summary and its timeline alone: nothing here simulates."""
