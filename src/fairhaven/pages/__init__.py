"""What people see: pages on a release and on cohorts, drawn from counts that are already protected."""
