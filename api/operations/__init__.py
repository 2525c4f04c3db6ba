"""What operators and readers ask of the service itself: life, readiness, counters, pages."""
