"""What should change: observes the champion, tries candidates, judges and promotes."""
