"""What we measure and against whom; never imported by the product."""
