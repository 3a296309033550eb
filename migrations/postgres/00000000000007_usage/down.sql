DROP TABLE usage, usage_tallies;
