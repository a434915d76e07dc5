"""The written forms of a cohort definition: Fairhaven's own, OHDSI Circe, RQuest."""
